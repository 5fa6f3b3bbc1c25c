package tck

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Bounds of what a guest is put through.
const (
	crowd   = 100                    // requests at once
	leavers = 50                     // clients that do not wait for their answer
	leaving = 5 * time.Millisecond   // how long they stay
	largest = 1 << 20                // bytes of a body
	unheard = "tck-is-not-there/x/y" // a path that no module has
)

// Guest puts a module through what a host does to it: many requests at once, clients that leave, paths and methods that
// it does not know, bodies that it does not want. path is one that it answers with less than 400 to GET.
func Guest(ctx context.Context, t Target, path string) []Result {
	r := &results{name: "guest"}
	first, err := t.ask(ctx, http.MethodGet, path, "")
	if err != nil || first.code >= 400 {
		r.check("answers", false, "got %v (%v)", first, err)
		return r.all
	}
	r.check("answers", true, "")
	bad := many(crowd, func() error { return t.same(ctx, path, first.code) })
	r.check(fmt.Sprintf("%d requests at once", crowd), bad == nil, "%v", bad)
	_ = many(leavers, func() error {
		short, cancel := context.WithTimeout(ctx, leaving)
		defer cancel()
		_, err := t.ask(short, http.MethodGet, path, "")
		return err
	})
	err = t.same(ctx, path, first.code)
	r.check(fmt.Sprintf("answers when %d clients have left", leavers), err == nil, "%v", err)
	base := strings.Join(strings.SplitN(path, "/", 5)[:min(4, strings.Count(path, "/")+1)], "/") // /kapis/<group>/<version>
	r.refusal(ctx, t, "a path that it does not have", http.MethodGet, base+"/"+unheard, "", 404, 404)
	r.refusal(ctx, t, "a method that it does not have", http.MethodPatch, path, "{}", 400, 499)
	r.refusal(ctx, t, "a large body that it did not ask for", http.MethodPost, base+"/"+unheard, strings.Repeat("x", largest), 400, 499)
	err = t.same(ctx, path, first.code)
	r.check("answers after all that", err == nil, "%v", err)
	return r.all
}

// same wants the same status again.
func (t *Target) same(ctx context.Context, path string, code int) error {
	a, err := t.ask(ctx, http.MethodGet, path, "")
	if err == nil && a.code != code {
		return fmt.Errorf("got %d %.200s, want %d", a.code, a.body, code)
	}
	return err
}

// refusal wants an error that is a Kubernetes Status.
func (r *results) refusal(ctx context.Context, t Target, what, method, path, body string, least, most int) {
	a, err := t.ask(ctx, method, path, body)
	if err != nil {
		r.check(what, false, "%v", err)
		return
	}
	var s struct {
		Kind string
		Code int
	}
	err = json.Unmarshal([]byte(a.body), &s)
	ok := a.code >= least && a.code <= most && err == nil && s.Kind == "Status" && s.Code == a.code
	r.check(what, ok, "got %d %.200s, want a Status of %d to %d", a.code, a.body, least, most)
}

// many runs f n times at once; one of its errors.
func many(n int, f func() error) error {
	var all sync.WaitGroup
	failed := make(chan error, n)
	for range n {
		all.Go(func() {
			if err := f(); err != nil {
				failed <- err
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}
