package tck

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Guests are the groups of the kit's two guests.
var Guests = []string{"sync", "async"}

// cases are what a guest reports on itself.
var cases = []string{"request/a%20b", "response", "data", "calls", "others", "http", "prometheus", "kube", "query", "access", "accounts"}

// Host has the kit's guests, which the target must serve with all they want granted, try every host function. backend
// must be what the target's backend `tck` leads to.
func Host(ctx context.Context, t Target, backend *Backend) []Result {
	var all []Result
	for _, kind := range Guests {
		g := &guest{Target: t, ctx: ctx, kind: kind, backend: backend}
		for _, name := range cases {
			g.reported(name)
		}
		g.mixed()
		g.failed()
		g.forward()
		if kind == "async" { // a synchronous one cannot speak of what came after its request
			g.afterwards()
			g.hang()
		}
		all = append(all, g.all...)
	}
	return all
}

// guest is one of the kit's guests as a host serves it.
type guest struct {
	Target
	results
	ctx     context.Context
	kind    string
	backend *Backend
}

func (g *guest) send(name string) *answer {
	g.name = g.kind + "/" + strings.TrimSuffix(name, "/a%20b")
	a, err := g.ask(g.ctx, http.MethodPost, "/kapis/"+g.kind+".tck.postern.io/v1/"+name+"?a=1&b=%20c", "the body",
		"X-Tck", "one", "X-Tck", "two", "Cookie", "session=secret", "X-Drop", "me")
	if err != nil {
		g.check("answers", false, "%v", err)
		return nil
	}
	return a
}

// reported has the guest try and say what came.
func (g *guest) reported(name string) {
	a := g.send(name)
	if a == nil {
		return
	}
	g.check("answers", a.code == http.StatusOK && a.body != "", "got %d %.500s", a.code, a.body)
	if a.code == http.StatusOK {
		g.lines(a.body)
	}
}

// lines reads a report.
func (g *guest) lines(report string) {
	for line := range strings.Lines(report) {
		line = strings.TrimSuffix(line, "\n")
		if what, ok := strings.CutPrefix(line, "ok "); ok {
			g.check(what, true, "")
			continue
		}
		what, got, _ := strings.Cut(strings.TrimPrefix(line, "FAIL "), ": got ")
		g.check(what, false, "got %s", got)
	}
}

func (g *guest) mixed() {
	if a := g.send("mixed"); a != nil {
		g.check("status", a.code == http.StatusCreated, "got %d", a.code)
		g.check("a header set twice", slices.Equal(a.header.Values("X-Tck"), []string{"last"}), "got %q", a.header.Values("X-Tck"))
		g.check("bytes and handles in order", a.body == "one two three", "got %q", a.body)
		g.check("length", a.header.Get("Content-Length") == "13", "got %q", a.header.Get("Content-Length"))
	}
}

func (g *guest) failed() {
	a := g.send("failed")
	if a == nil {
		return
	}
	var s struct {
		Kind, Message string
		Code          int
	}
	err := json.Unmarshal([]byte(a.body), &s)
	g.check("status", a.code == http.StatusConflict, "got %d", a.code)
	g.check("a Kubernetes Status", err == nil && s.Kind == "Status" && s.Code == 409 && strings.Contains(s.Message, "this is in the way"), "got %s", a.body)
	g.check("nothing of before", a.header.Get("X-Tck") == "" && !strings.Contains(a.body, "gone"), "got %v %s", a.header, a.body)
}

func (g *guest) forward() {
	a := g.send("forward")
	if a == nil {
		return
	}
	g.check("the backend's answer", a.code == http.StatusAccepted && a.body == "POST /forwarded forwarded the body", "got %d %s", a.code, a.body)
	seen := g.backend.last()
	for _, name := range []string{"Authorization", "Cookie", "X-Drop"} {
		g.check("the backend never sees "+name, seen != nil && seen.Get(name) == "", "got %v", seen)
	}
	if g.kind == "async" { // a synchronous one has several instances, and one of them knows
		g.later()
	}
}

func (g *guest) afterwards() {
	if a := g.send("ended"); a != nil {
		g.check("the answer", a.body == "ended", "got %d %s", a.code, a.body)
		g.later()
	}
}

// hang leaves while the guest waits.
func (g *guest) hang() {
	ctx, cancel := context.WithTimeout(g.ctx, 300*time.Millisecond)
	defer cancel()
	g.name = g.kind + "/hang"
	if _, err := g.ask(ctx, http.MethodPost, "/kapis/"+g.kind+".tck.postern.io/v1/hang", ""); err == nil {
		g.check("waits", false, "it answered")
	}
	g.later()
}

// later reads what the guest found out after its request, as soon as it has.
func (g *guest) later() {
	name := g.name
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		a := g.send("later")
		g.name = name
		if a == nil {
			return
		}
		if a.body != "" {
			g.check("answers afterwards", a.code == http.StatusOK, "got %d %s", a.code, a.body)
			g.lines(a.body)
			return
		}
	}
	g.check("answers afterwards", false, "the guest has found nothing out")
}
