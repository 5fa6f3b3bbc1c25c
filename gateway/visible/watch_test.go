package visible

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWatchShowsOnlyItsPart(t *testing.T) {
	for _, accept := range []string{"", asTable} {
		g := newGateway(t, On, inTwo...)
		g.fill(1, "a", "a-b", "other")
		at := g.now()
		w := g.watch(t, fmt.Sprintf("/api/v1/pods?watch=1&resourceVersion=%d", at), accept)
		g.do("ADDED", "pods", "other", "secret", "")
		g.do("ADDED", "pods", "a", "new", "")
		g.do("MODIFIED", "pods", "other", "secret", "")
		g.do("MODIFIED", "pods", "a-b", "p000", "")
		g.do("DELETED", "pods", "a", "new", "")
		for i, want := range []string{"ADDED new", "MODIFIED p000", "DELETED new"} {
			kind, text := w.next()
			verb, name, _ := strings.Cut(want, " ")
			if kind != verb || !strings.Contains(text, `"name":"`+name+`"`) || strings.Contains(text, "secret") {
				t.Errorf("%q: event %d is %s %s", accept, i, kind, text)
			}
		}
	}
}

// TestWatchOfOneNamespace asks kube-apiserver for nothing else.
func TestWatchOfOneNamespace(t *testing.T) {
	g := newGateway(t, On, inTwo[0])
	w := g.watch(t, "/api/v1/pods?watch=1&allowWatchBookmarks=true&timeoutSeconds=99", "")
	g.do("ADDED", "pods", "a", "new", "")
	if kind, text := w.next(); kind != "ADDED" {
		t.Errorf("%s", text)
	}
	q := g.questions()
	if last := q[len(q)-1]; last != "/api/v1/namespaces/a/pods?allowWatchBookmarks=true&timeoutSeconds=99&watch=1" {
		t.Errorf("asked %s", q)
	}
}

// TestWatchWhenRightsChange: a right that is lost counts at once, and any change ends the watch so that the client lists anew.
func TestWatchWhenRightsChange(t *testing.T) {
	for name, grants := range map[string][]grant{
		"lost": inTwo[:1], "gained": append(slices.Clone(inTwo), grant{user: "ann", verbs: "list,watch", resource: "pods", namespace: "c"}), "none left": nil,
	} {
		g := newGateway(t, On, inTwo...)
		w := g.watch(t, fmt.Sprintf("/api/v1/pods?watch=1&resourceVersion=%d", g.now()), "")
		g.do("ADDED", "pods", "a-b", "before", "")
		if kind, text := w.next(); kind != "ADDED" || !strings.Contains(text, "before") {
			t.Errorf("%s: %s", name, text)
		}
		g.set(func() { g.grants = grants })
		if name != "gained" {
			g.do("ADDED", "pods", "a-b", "after", "")
		}
		kind, text := w.next()
		if kind != "ERROR" || !strings.Contains(text, `"reason":"Expired"`) || !strings.Contains(text, `"code":410`) {
			t.Errorf("%s: %s", name, text)
		}
		if kind, text := w.next(); kind != "" {
			t.Errorf("%s: then %s", name, text)
		}
	}
}

// TestOthersRightsChange: what changes for others leaves a watch alone.
func TestOthersRightsChange(t *testing.T) {
	g := newGateway(t, On, inTwo...)
	w := g.watch(t, fmt.Sprintf("/api/v1/pods?watch=1&resourceVersion=%d", g.now()), "")
	g.set(func() { g.grants = append(g.grants, grant{user: "ben", verbs: "watch", resource: "pods"}) })
	time.Sleep(settle + settle/2) // long enough for a look at the rights, which has to leave no trace
	g.do("ADDED", "pods", "a", "new", "")
	if kind, text := w.next(); kind != "ADDED" {
		t.Errorf("%s", text)
	}
}

// TestRightsChangeBeforeTheWatch: a client has listed, its rights change, then it watches from the list's version on: it
// would never hear of what it has gained. It must list anew, and may then watch.
func TestRightsChangeBeforeTheWatch(t *testing.T) {
	g := newGateway(t, On, inTwo[0])
	g.fill(1, "a", "a-b")
	list := func() string {
		_, body := g.get(t, "/api/v1/pods", "")
		return "/api/v1/pods?watch=1&timeoutSeconds=1&resourceVersion=" + decode(t, body).Metadata.ResourceVersion
	}
	first := list()
	g.do("ADDED", "pods", "other", "x", "")
	g.watch(t, first, "")
	g.set(func() { g.grants = inTwo })
	if code, body := g.get(t, first, ""); code != 410 || !strings.Contains(body, `"reason":"Expired"`) {
		t.Errorf("%d %s", code, body)
	}
	g.watch(t, list(), "")
	g.set(func() { g.grants = inTwo[:1] })
	if code, body := g.get(t, first, ""); code != 410 {
		t.Errorf("lost: %d %s", code, body)
	}
	// Another gateway knows nothing of the list; that is told apart from a change by the version alone.
	g.forget()
	g.do("ADDED", "pods", "other", "y", "")
	if code, body := g.get(t, first, ""); code != 410 {
		t.Errorf("unknown: %d %s", code, body)
	}
	g.watch(t, list(), "")
}

// TestListRightsWithoutWatchRights: rights to list and to watch that differ do not keep a client listing for ever.
func TestListRightsWithoutWatchRights(t *testing.T) {
	g := newGateway(t, On, inTwo[0], grant{user: "ann", verbs: "list", resource: "pods", namespace: "a-b"})
	g.fill(1, "a", "a-b")
	_, body := g.get(t, "/api/v1/pods", "")
	l := decode(t, body)
	g.do("ADDED", "pods", "other", "x", "")
	if w := g.watch(t, "/api/v1/pods?watch=1&resourceVersion="+l.Metadata.ResourceVersion, ""); len(l.Items) != 2 || w == nil {
		t.Errorf("%s", body)
	}
}

func TestInitialEventsAreRefused(t *testing.T) {
	g := newGateway(t, On, inTwo...)
	q := "/api/v1/pods?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
	if code, body := g.get(t, q, ""); code != 422 || !strings.Contains(body, `"reason":"Invalid"`) {
		t.Errorf("%d %s", code, body)
	}
	g.set(func() { g.grants = inTwo[:1] })
	g.watch(t, q, "")
	all := g.questions()
	if last := all[len(all)-1]; !strings.Contains(last, "sendInitialEvents=true") || !strings.Contains(last, "resourceVersionMatch=NotOlderThan") {
		t.Errorf("asked %s", last)
	}
}

// TestWatchExpired: kube-apiserver's own 410 is the answer.
func TestWatchExpired(t *testing.T) {
	g := newGateway(t, On, inTwo...)
	g.fill(3, "a")
	_, body := g.get(t, "/api/v1/pods", "")
	version := decode(t, body).Metadata.ResourceVersion
	g.fill(1, "a")
	g.compact = g.now()
	if code, body := g.get(t, "/api/v1/pods?watch=1&resourceVersion="+version, ""); code != 410 {
		t.Errorf("%d %s", code, body)
	}
}

// TestClientLeaves: kube-apiserver's watch ends with its client.
func TestClientLeaves(t *testing.T) {
	g := newGateway(t, On, inTwo...)
	ctx, cancel := context.WithCancel(t.Context())
	resp := g.open(ctx, t, "/api/v1/pods?watch=1", "")
	cancel()
	_ = resp.Body.Close()
	// goleak sees a watch that goes on.
}

// TestShutdownEndsWatches as if kube-apiserver had: a client that watches on elsewhere has lost nothing.
func TestShutdownEndsWatches(t *testing.T) {
	g := newGateway(t, On, inTwo...)
	w := g.watch(t, "/api/v1/pods?watch=1", "")
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	go func() { done <- g.srv.Shutdown(ctx) }()
	if kind, text := w.next(); kind != "" {
		t.Errorf("%s", text)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
