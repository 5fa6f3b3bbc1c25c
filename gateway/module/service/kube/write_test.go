package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/hostabi"
)

// TestNoMemberTwice: what a module has read of a body is what kube-apiserver stores.
func TestNoMemberTwice(t *testing.T) {
	var sent atomic.Int64
	s := start(t, Options{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		sent.Add(1)
		fmt.Fprint(w, `{}`)
	}))
	update := []any{hostabi.TagOperation, "update", hostabi.TagVersion, "v1", hostabi.TagResource, "things", hostabi.TagName, "a", hostabi.TagBody}
	for _, body := range []string{
		`{"rules":[],"rules":[{"verbs":["*"]}]}`, `{"rules":[{"verbs":["get"],"\u0076erbs":["*"]}]}`, `{"a":{"b":[1,{"c":{},"d":"x","c":null}]}}`, `[{"op":"x","op":"y"}]`,
	} {
		if r := do(s, append(update, body)...); r.Code != hostabi.BadArgument || !strings.Contains(r.Err, "twice") {
			t.Errorf("%s: %v %s", body, r.Code, r.Err)
		}
	}
	if n := sent.Load(); n != 0 {
		t.Errorf("%d were sent", n)
	}
	for _, body := range []string{
		`{"a":"a","b":{"a":"b","b":["a","a",{"a":1},{"a":1}]},"A":[{},{},[]],"c":"c"}`, `[]`, `"a"`, "a: 1\na: 2", "", `{"a":1`,
	} {
		if r := do(s, append(update, body)...); r.Code != hostabi.OK {
			t.Errorf("%s: %v %s", body, r.Code, r.Err)
		}
	}
}

// FuzzTwice: a document that has a member twice loses one when it is decoded; others lose none.
func FuzzTwice(f *testing.F) {
	f.Add(`{"a":1,"b":{"a":[{"a":1,"a":2}]}}`)
	f.Add(`[{"a":"a"},"a",{"":null,"\u0000":1e5}]`)
	f.Fuzz(func(t *testing.T, doc string) {
		var v any
		if json.Unmarshal([]byte(doc), &v) != nil {
			return
		}
		// Keys with broken UTF-8 become one key; that is a loss, too.
		_, found := twice([]byte(doc))
		if lost := keys(v) != colons([]byte(doc)); lost != found {
			t.Fatalf("%q: found %v, lost %v", doc, found, lost)
		}
	})
}

// keys counts the members of all objects.
func keys(v any) (n int) {
	switch v := v.(type) {
	case map[string]any:
		for _, child := range v {
			n += 1 + keys(child)
		}
	case []any:
		for _, child := range v {
			n += keys(child)
		}
	}
	return n
}

// colons counts the colons outside of strings of a valid document: one a member.
func colons(doc []byte) (n int) {
	inside := false
	for i := 0; i < len(doc); i++ {
		switch {
		case inside && doc[i] == '\\':
			i++
		case doc[i] == '"':
			inside = !inside
		case !inside && doc[i] == ':':
			n++
		}
	}
	return n
}

// TestWritesOfCaller: a write in the caller's name is authorized as its request would be, and Kubernetes' refusal comes back
// as its Status.
func TestWritesOfCaller(t *testing.T) {
	s := start(t, Options{Authorize: func(u *exchange.User, info *exchange.RequestInfo) exchange.Decision {
		return exchange.Decision{Allowed: u.Name == "alice" && info.Verb == "update" && info.Name == "a"}
	}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Impersonate-User") != "alice" || r.Header.Get("Authorization") != "Bearer gateway" {
			t.Errorf("headers %v", r.Header)
		}
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintf(w, `{"kind":"Status","reason":"Conflict","message":"not %s","details":{"name":"a"},"code":409}`, strings.ReplaceAll(string(body), `"`, `'`))
	}))
	body := []any{hostabi.TagVersion, "v1", hostabi.TagResource, "things", hostabi.TagBody, `{"metadata":{"resourceVersion":"7"}}`, hostabi.TagOperation}
	r := doAs(s, &exchange.User{Name: "alice"}, everything, append(body, "update", hostabi.TagName, "a")...)
	if r.Code != hostabi.Conflict || r.Status != 409 || r.Err != "not {'metadata':{'resourceVersion':'7'}}" || !strings.Contains(string(r.Body), `"details":{"name":"a"}`) {
		t.Errorf("%+v %s", r, r.Body)
	}
	for _, who := range []string{"alice", "bob"} {
		if r := doAs(s, &exchange.User{Name: who}, everything, append(body, "create")...); r.Code != hostabi.Denied {
			t.Errorf("%s: %+v", who, r)
		}
	}
}

// TestWritten: whoever has written is answered when the gateway goes by it, and whoever has read or failed at once.
func TestWritten(t *testing.T) {
	var told []string
	code := http.StatusOK
	s := start(t, Options{Written: func(_ context.Context, group, resource, version string) {
		told = append(told, group+" "+resource+" "+version)
	}}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		fmt.Fprint(w, `{"kind":"Thing","metadata":{"name":"a","resourceVersion":"17"}}`)
	}))
	ask := func(operation string) {
		do(s, hostabi.TagOperation, operation, hostabi.TagGroup, "x.io", hostabi.TagVersion, "v1", hostabi.TagResource, "things", hostabi.TagName, "a", hostabi.TagBody, `{}`)
	}
	ask("update")
	ask("get")
	code = http.StatusConflict
	ask("update")
	if len(told) != 1 || told[0] != "x.io things 17" {
		t.Errorf("told %q", told)
	}
}
