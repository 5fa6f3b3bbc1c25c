package visible

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// spaces makes namespaces, each in its workspace.
func (g *gateway) spaces(all ...string) {
	for _, s := range all {
		ns, workspace, _ := strings.Cut(s, "@")
		g.do("ADDED", "namespaces", "", ns, workspace)
		g.set(func() { g.policy.workspaces[ns] = workspace })
	}
}

func TestNamespaces(t *testing.T) {
	for name, c := range map[string]struct {
		grants []grant
		want   []string
	}{
		"of a workspace":     {[]grant{{user: "ann", verbs: "get,list", resource: "*", workspace: "w"}}, []string{"n1", "n2"}},
		"to get only":        {[]grant{{user: "ann", verbs: "get", resource: "namespaces", workspace: "w"}}, []string{"n1", "n2"}},
		"in a namespace":     {[]grant{{user: "ann", verbs: "get", resource: "namespaces", namespace: "n3"}}, []string{"n3"}},
		"by name":            {[]grant{{user: "ann", verbs: "list", resource: "namespaces", name: "n4"}}, []string{"n4"}},
		"of both":            {[]grant{{user: "ann", verbs: "get", resource: "namespaces", name: "n4"}, {user: "ann", verbs: "get", resource: "*", workspace: "w"}}, []string{"n1", "n2", "n4"}},
		"get all, list none": {[]grant{{user: "ann", verbs: "get", resource: "namespaces"}}, nil},
		"none":               {nil, nil},
	} {
		g := newGateway(t, "", c.grants...)
		g.spaces("n1@w", "n2@w", "n3@v", "n4")
		for _, accept := range []string{"", asTable} {
			code, body := g.get(t, "/api/v1/namespaces", accept)
			l := decode(t, body)
			if code != 200 || !slices.Equal(l.keys(), c.want) || l.Metadata.ResourceVersion == "" || l.Kind == "" {
				t.Errorf("%s: %d %s", name, code, body)
			}
		}
	}
}

// TestManyNamespaces are filtered from the whole list; pages too.
func TestManyNamespaces(t *testing.T) {
	g := newGateway(t, "", grant{user: "ann", verbs: "get,list,watch", resource: "namespaces", workspace: "w"})
	var want []string
	for i := range 300 {
		s := fmt.Sprintf("n%04d", i)
		if i%4 == 0 {
			want = append(want, s)
			s += "@w"
		}
		g.spaces(s)
	}
	_, body := g.get(t, "/api/v1/namespaces", "")
	if got := decode(t, body).keys(); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if n := len(g.questions()); n > 2 {
		t.Errorf("%d questions", n)
	}
	for _, limit := range []int{3, 10, 50, 1000} {
		got, _, _ := g.pages(t, fmt.Sprintf("/api/v1/namespaces?limit=%d", limit), "")
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: %v", limit, got)
		}
	}
}

func TestOneNamespaceByFieldSelector(t *testing.T) {
	g := newGateway(t, "", grant{user: "ann", verbs: "get", resource: "namespaces", workspace: "w"})
	g.spaces("n1@w", "n2@w", "n3")
	for n, want := range map[string][]string{"n1": {"n1"}, "n3": nil} {
		_, body := g.get(t, "/api/v1/namespaces?fieldSelector=metadata.name%3D"+n, "")
		if got := decode(t, body).keys(); !slices.Equal(got, want) {
			t.Errorf("%s: %s", n, body)
		}
	}
}

// TestMovedNamespace: authorization still believes a namespace to be in the workspace that it has left. It is not shown, and
// a watch begins anew.
func TestMovedNamespace(t *testing.T) {
	g := newGateway(t, "", grant{user: "ann", verbs: "get,list,watch", resource: "namespaces", workspace: "w"})
	g.spaces("n1@w", "n2@w")
	w := g.watch(t, fmt.Sprintf("/api/v1/namespaces?watch=1&resourceVersion=%d", g.now()), "")
	g.do("MODIFIED", "namespaces", "", "n2", "v")
	if kind, text := w.next(); kind != "ERROR" || !strings.Contains(text, "410") {
		t.Errorf("%s", text)
	}
	_, body := g.get(t, "/api/v1/namespaces", "")
	if got := decode(t, body).keys(); !slices.Equal(got, []string{"n1"}) {
		t.Errorf("%s", body)
	}
}

// TestNewNamespace comes with the rights to it, in whichever order.
func TestNewNamespace(t *testing.T) {
	g := newGateway(t, "", grant{user: "ann", verbs: "get,list,watch", resource: "namespaces", workspace: "w"})
	w := g.watch(t, fmt.Sprintf("/api/v1/namespaces?watch=1&resourceVersion=%d", g.now()), "")
	g.spaces("n1@w")
	if kind, text := w.next(); kind != "ERROR" || !strings.Contains(text, "410") {
		t.Errorf("%s", text)
	}
	_, body := g.get(t, "/api/v1/namespaces", "")
	if got := decode(t, body).keys(); !slices.Equal(got, []string{"n1"}) {
		t.Errorf("%s", body)
	}
}

// TestClusterScoped lists what is labelled with a workspace, and what a role names.
func TestClusterScoped(t *testing.T) {
	ofWorkspace := grant{user: "ann", verbs: "list,watch", resource: "nodes", workspace: "w"}
	byName := grant{user: "ann", verbs: "get", resource: "nodes", name: "m1"}
	for name, c := range map[string]struct {
		mode   Mode
		grants []grant
		want   []string
		code   int
	}{
		"of a workspace":           {On, []grant{ofWorkspace}, []string{"m2", "m3"}, 200},
		"not of the platform":      {Tenancy, []grant{ofWorkspace}, nil, 403},
		"by name":                  {On, []grant{byName}, []string{"m1"}, 200},
		"by name, not the tenancy": {Tenancy, []grant{byName}, nil, 403},
		"both":                     {On, []grant{ofWorkspace, byName}, []string{"m1", "m2", "m3"}, 200},
	} {
		g := newGateway(t, c.mode, c.grants...)
		for _, n := range []string{"m1@", "m2@w", "m3@w", "m4@v"} {
			node, workspace, _ := strings.Cut(n, "@")
			g.do("ADDED", "nodes", "", node, workspace)
		}
		for _, accept := range []string{"", asTable} {
			code, body := g.get(t, "/api/v1/nodes", accept)
			if code != c.code || code == 200 && !slices.Equal(decode(t, body).keys(), c.want) {
				t.Errorf("%s: %d %s", name, code, body)
			}
		}
	}
	g := newGateway(t, Tenancy, ofWorkspace)
	if code, body := g.get(t, "/api/v1/nodes?labelSelector=kubesphere.io%2Fworkspace%3Dw", ""); code != 200 {
		t.Errorf("with the label: %d %s", code, body)
	}
	g = newGateway(t, On, ofWorkspace)
	w := g.watch(t, "/api/v1/nodes?watch=1", "")
	g.do("ADDED", "nodes", "", "m4", "v")
	g.do("ADDED", "nodes", "", "m2", "w")
	if kind, text := w.next(); kind != "ADDED" || !strings.Contains(text, "m2") {
		t.Errorf("%s", text)
	}
}

// TestLabelTakenAway: an object leaves the caller's workspace while the watch is of all objects. Its client must not keep it.
func TestLabelTakenAway(t *testing.T) {
	g := newGateway(t, On, grant{user: "ann", verbs: "list,watch", resource: "nodes", workspace: "w"}, grant{user: "ann", verbs: "get", resource: "nodes", name: "m1"})
	g.do("ADDED", "nodes", "", "m1", "")
	g.do("ADDED", "nodes", "", "m2", "w")
	g.do("ADDED", "nodes", "", "m3", "")
	for _, from := range []int{g.now(), 0} {
		w := g.watch(t, fmt.Sprintf("/api/v1/nodes?watch=1&resourceVersion=%d", from), "")
		if from == 0 {
			for _, want := range []string{"m1", "m2"} {
				if _, text := w.next(); !strings.Contains(text, want) {
					t.Errorf("%s", text)
				}
			}
		}
		g.do("MODIFIED", "nodes", "", "m3", "v")
		g.do("MODIFIED", "nodes", "", "m1", "v")
		if kind, text := w.next(); kind != "MODIFIED" || !strings.Contains(text, "m1") {
			t.Errorf("%s", text)
		}
		g.do("MODIFIED", "nodes", "", "m2", "v")
		if kind, text := w.next(); kind != "ERROR" || strings.Contains(text, "m2") {
			t.Errorf("%s", text)
		}
		g.do("MODIFIED", "nodes", "", "m2", "w")
		g.forget()
		_, _ = g.get(t, "/api/v1/nodes", "")
	}
}
