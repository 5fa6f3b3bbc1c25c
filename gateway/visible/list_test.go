package visible

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

const asTable = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

var inTwo = []grant{
	{user: "ann", verbs: "list,watch", resource: "pods", namespace: "a"},
	{user: "ann", verbs: "list,watch", resource: "pods", namespace: "a-b"},
}

// fill adds n pods to each namespace.
func (g *gateway) fill(n int, namespaces ...string) {
	for i := range n {
		for _, ns := range namespaces {
			g.do("ADDED", "pods", ns, fmt.Sprintf("p%03d", i), "")
		}
	}
}

// pages reads a list page by page.
func (g *gateway) pages(t *testing.T, path, accept string) (all []string, pages int, version string) {
	t.Helper()
	token := ""
	for {
		code, body := g.get(t, path+"&continue="+url.QueryEscape(token), accept)
		if code != 200 {
			t.Fatalf("%d %s", code, body)
		}
		l := decode(t, body)
		if version != "" && version != l.Metadata.ResourceVersion || l.Metadata.RemainingItemCount != "" {
			t.Errorf("page %d: %+v, the first one was of %s", pages, l.Metadata, version)
		}
		all, pages, token, version = append(all, l.keys()...), pages+1, l.Metadata.Continue, l.Metadata.ResourceVersion
		if token == "" {
			return all, pages, version
		}
	}
}

func TestListOfNamespaces(t *testing.T) {
	for _, accept := range []string{"", asTable, "application/vnd.kubernetes.protobuf, */*"} {
		g := newGateway(t, On, inTwo...)
		g.fill(3, "a", "a-b", "other")
		at := g.now()
		code, body := g.get(t, "/api/v1/pods", accept)
		l := decode(t, body)
		// As in etcd: a-b/ comes before a/.
		want := []string{"a-b/p000", "a-b/p001", "a-b/p002", "a/p000", "a/p001", "a/p002"}
		if code != 200 || !slices.Equal(l.keys(), want) || l.Metadata.ResourceVersion != fmt.Sprint(at) || l.Metadata.Continue != "" {
			t.Errorf("%q: %d %s", accept, code, body)
		}
		if table := accept == asTable; table != (l.Kind == "Table") || table != (len(l.Columns) == 1) {
			t.Errorf("%q: %s", accept, body)
		}
		for _, q := range g.questions() {
			if q == "/api/v1/pods" || strings.HasPrefix(q, "/api/v1/pods?") || strings.Contains(q, "other") {
				t.Errorf("asked %s", q)
			}
		}
	}
}

// TestOneVersion changes things between two of the lists: all are read at the version of the first.
func TestOneVersion(t *testing.T) {
	g := newGateway(t, On, inTwo...)
	g.fill(2, "a", "a-b")
	code, body := g.get(t, "/api/v1/pods?limit=2", "")
	first := decode(t, body)
	if code != 200 || len(first.Items) != 2 || first.Metadata.Continue == "" {
		t.Fatalf("%d %s", code, body)
	}
	g.do("DELETED", "pods", "a", "p000", "")
	g.do("ADDED", "pods", "a", "p9", "")
	_, body = g.get(t, "/api/v1/pods?limit=2&continue="+url.QueryEscape(first.Metadata.Continue), "")
	second := decode(t, body)
	if !slices.Equal(second.keys(), []string{"a/p000", "a/p001"}) || second.Metadata.ResourceVersion != first.Metadata.ResourceVersion {
		t.Errorf("%s", body)
	}
}

// TestPages reads lists with every limit: nothing is missing, nothing comes twice, no page is longer.
func TestPages(t *testing.T) {
	for _, sorted := range []bool{false, true} {
		g := newGateway(t, On, inTwo...)
		g.sorted = sorted
		var want []string
		for i := range 12 {
			ns := fmt.Sprintf("n%02d", i)
			g.grants = append(g.grants, grant{user: "ann", verbs: "list", resource: "pods", namespace: ns})
			g.fill(i%4, ns)
			for j := range i % 4 {
				want = append(want, fmt.Sprintf("%s/p%03d", ns, j))
			}
		}
		at := fmt.Sprint(g.now())
		for _, limit := range []int{1, 2, 3, 5, 17, 18, 600} {
			for _, accept := range []string{"", asTable} {
				got, pages, version := g.pages(t, fmt.Sprintf("/api/v1/pods?limit=%d", limit), accept)
				if !slices.Equal(got, want) || version != at || pages < (len(want)+limit-1)/limit {
					t.Errorf("limit %d: %d pages of %s at %s", limit, pages, got, version)
				}
			}
		}
	}
}

// TestLongNamespace reads pages of kube-apiserver's within one namespace.
func TestLongNamespace(t *testing.T) {
	g := newGateway(t, On, inTwo...)
	g.fill(1200, "a")
	g.fill(1, "a-b")
	code, body := g.get(t, "/api/v1/pods", "")
	if l := decode(t, body); code != 200 || len(l.Items) != 1201 || l.Items[0].Metadata.Namespace != "a-b" || l.Metadata.Continue != "" {
		t.Errorf("%d, %d items", code, len(l.Items))
	}
	if n := len(g.questions()); n > 6 {
		t.Errorf("%d questions", n)
	}
	got, _, _ := g.pages(t, "/api/v1/pods?limit=700", "")
	if len(got) != 1201 {
		t.Errorf("%d items", len(got))
	}
}

func TestSelectorsGoOn(t *testing.T) {
	g := newGateway(t, On, inTwo...)
	g.fill(3, "a", "a-b", "other")
	_, body := g.get(t, "/api/v1/pods?fieldSelector=metadata.name%3Dp001&labelSelector=x%3Dy%2Cz", "")
	if got := decode(t, body).keys(); !slices.Equal(got, []string{"a-b/p001", "a/p001"}) {
		t.Errorf("%s", body)
	}
	for _, q := range g.questions()[1:] {
		if !strings.Contains(q, "labelSelector=x%3Dy%2Cz") {
			t.Errorf("asked %s", q)
		}
	}
}

// TestRightsChangeBetweenPages: what is lost is not shown any more, what is gained is, from its place on.
func TestRightsChangeBetweenPages(t *testing.T) {
	g := newGateway(t, On, inTwo...)
	g.fill(2, "a", "a-b", "b")
	_, body := g.get(t, "/api/v1/pods?limit=1", "")
	token := url.QueryEscape(decode(t, body).Metadata.Continue)
	g.set(func() {
		g.grants = []grant{{user: "ann", verbs: "list", resource: "pods", namespace: "b"}}
	})
	_, body = g.get(t, "/api/v1/pods?limit=9&continue="+token, "")
	if got := decode(t, body).keys(); !slices.Equal(got, []string{"b/p000", "b/p001"}) {
		t.Errorf("%s", body)
	}
	g.set(func() { g.grants = nil })
	if code, body := g.get(t, "/api/v1/pods?limit=9&continue="+token, ""); code != 403 {
		t.Errorf("%d %s", code, body)
	}
}

// TestForgedTokens: a token shows nothing that its bearer may not see.
func TestForgedTokens(t *testing.T) {
	g := newGateway(t, On, inTwo...)
	g.fill(2, "a", "a-b", "other")
	for _, p := range []place{
		{At: "other", Version: "103"},
		{At: "", Continue: "MTAwIA"},
		{At: "nowhere", Continue: "x"},
		{At: "../../secrets", Version: "103"},
		{At: "a", Version: "103", Continue: "leak"},
	} {
		code, body := g.get(t, "/api/v1/pods?continue="+url.QueryEscape(p.encode()), "")
		if strings.Contains(body, "other") && strings.Contains(body, `"namespace":"other","resourceVersion"`) {
			t.Errorf("%+v: %d %s", p, code, body)
		}
	}
	for _, token := range []string{"x", "postern1.", "postern1.e30", place{At: "a", Version: "1&x"}.encode(), "eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ"} {
		if code, body := g.get(t, "/api/v1/pods?continue="+url.QueryEscape(token), ""); code != 400 {
			t.Errorf("%q: %d %s", token, code, body)
		}
	}
	for _, q := range g.questions() {
		if strings.HasPrefix(q, "/api/v1/namespaces/other") || strings.Contains(q, "..") {
			t.Errorf("asked %s", q)
		}
	}
}

func TestExpired(t *testing.T) {
	g := newGateway(t, On, inTwo...)
	g.fill(2, "a", "a-b")
	_, body := g.get(t, "/api/v1/pods?limit=1", "")
	token := url.QueryEscape(decode(t, body).Metadata.Continue)
	g.fill(2, "a")
	g.compact = g.now()
	code, body := g.get(t, "/api/v1/pods?limit=1&continue="+token, "")
	if code != 410 || !strings.Contains(body, `"reason":"Expired"`) || strings.Contains(body, "leak") {
		t.Errorf("%d %s", code, body)
	}
}

// TestBusy: kube-apiserver's 429 is waited for, other errors are the answer as long as there is none.
func TestBusy(t *testing.T) {
	g := newGateway(t, On, inTwo...)
	g.fill(1, "a", "a-b")
	g.refuse["/api/v1/namespaces/a-b/pods"] = "429 0"
	g.refuse["/api/v1/namespaces/a/pods"] = "429 0"
	if code, body := g.get(t, "/api/v1/pods", ""); code != 200 || len(decode(t, body).Items) != 2 {
		t.Errorf("%d %s", code, body)
	}
	g.refuse["/api/v1/namespaces/a-b/pods"] = "503 7"
	if code, body := g.get(t, "/api/v1/pods", ""); code != 503 || !strings.Contains(body, "refused") {
		t.Errorf("%d %s", code, body)
	}
}

// TestBrokenOff: an error behind the beginning breaks the answer off; it does not look complete.
func TestBrokenOff(t *testing.T) {
	g := newGateway(t, On, inTwo...)
	g.fill(1, "a", "a-b")
	g.refuse["/api/v1/namespaces/a/pods"] = "500 "
	resp := g.open(t.Context(), t, "/api/v1/pods", "")
	defer func() { _ = resp.Body.Close() }()
	buf, err := make([]byte, 1<<16), error(nil)
	for err == nil {
		_, err = resp.Body.Read(buf)
	}
	if resp.StatusCode != 200 || err.Error() == "EOF" {
		t.Errorf("%d, %v", resp.StatusCode, err)
	}
}

// TestWithoutVersions lists what has none, as metrics.
func TestWithoutVersions(t *testing.T) {
	g := newGateway(t, On, inTwo...)
	g.metadata = true
	g.fill(1, "a", "a-b")
	if code, body := g.get(t, "/api/v1/pods", ""); code != 200 || len(decode(t, body).Items) != 2 {
		t.Errorf("%d %s", code, body)
	}
	for _, q := range g.questions() {
		if strings.Contains(q, "Exact") {
			t.Errorf("asked %s", q)
		}
	}
}

func TestPassedOn(t *testing.T) {
	for name, c := range map[string]struct {
		mode   Mode
		path   string
		grants []grant
	}{
		"off":                         {Off, "/api/v1/pods", inTwo},
		"not of the tenancy":          {Tenancy, "/api/v1/pods", inTwo},
		"nothing to see":              {On, "/api/v1/pods", nil},
		"another verb":                {On, "/api/v1/pods?watch=1", []grant{{user: "ann", verbs: "list", resource: "pods", namespace: "a"}}},
		"unknown resource":            {On, "/api/v1/gadgets", []grant{{user: "ann", verbs: "list", resource: "gadgets", namespace: "a"}}},
		"by name in the path":         {On, "/api/v1/watch/pods/p000", inTwo},
		"a module's":                  {On, "/kapis/x/v1/pods", inTwo},
		"get of all is not list":      {On, "/api/v1/nodes", []grant{{user: "ann", verbs: "get", resource: "nodes"}}},
		"in a namespace as it was":    {On, "/api/v1/namespaces/c/pods", inTwo},
		"may list all":                {On, "/api/v1/pods", []grant{{user: "ann", verbs: "list", resource: "pods"}}},
		"get in namespaces, not list": {On, "/api/v1/pods", []grant{{user: "ann", verbs: "get", resource: "pods", namespace: "a"}}},
	} {
		g := newGateway(t, c.mode, c.grants...)
		g.fill(1, "a", "a-b")
		if code, body := g.get(t, c.path, ""); code != 403 {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	g := newGateway(t, On, inTwo...)
	g.err = fmt.Errorf("not all roles have been read")
	if code, body := g.get(t, "/api/v1/pods", ""); code != 403 {
		t.Errorf("not synced: %d %s", code, body)
	}
}

// TestByRole has a role show a kind.
func TestByRole(t *testing.T) {
	for name, want := range map[string]int{"pods": 200, "": 200, "deployments.apps": 403} {
		g := newGateway(t, Tenancy, append(slices.Clone(inTwo), grant{user: "ann", verbs: "use", resource: "visiblelists", name: name})...)
		if code, body := g.get(t, "/api/v1/pods", ""); code != want {
			t.Errorf("%q: %d %s", name, code, body)
		}
	}
}

func TestNotAcceptable(t *testing.T) {
	g := newGateway(t, On, inTwo...)
	for accept, want := range map[string]int{
		"application/vnd.kubernetes.protobuf": 406, "application/yaml": 406, "application/json;q=0": 406,
		"application/vnd.kubernetes.protobuf;q=1, application/json;q=0.5": 200, "*/*": 200, "application/*": 200,
	} {
		if code, body := g.get(t, "/api/v1/pods", accept); code != want {
			t.Errorf("%q: %d %s", accept, code, body)
		}
	}
	for _, q := range []string{"limit=x", "limit=-1", "resourceVersion=5&continue=x"} {
		if code, body := g.get(t, "/api/v1/pods?"+q, ""); code != 400 {
			t.Errorf("%s: %d %s", q, code, body)
		}
	}
}

// TestManyNamespacesOfFewObjects: what is in many namespaces is filtered out of the whole if that is less to read, and comes
// from each of them if it is more. The result is the same, page by page, too.
func TestManyNamespacesOfFewObjects(t *testing.T) {
	for name, elsewhere := range map[string]int{"few": 10, "many": 40 * objectsForPlace} {
		g := newGateway(t, On)
		var want []string
		for i := range 40 {
			ns := fmt.Sprintf("n%02d", i)
			g.grants = append(g.grants, grant{user: "ann", verbs: "list", resource: "pods", namespace: ns})
			if i%8 == 0 {
				g.fill(2, ns)
				want = append(want, ns+"/p000", ns+"/p001")
			}
		}
		g.fill(elsewhere, "n99")
		for _, limit := range []int{0, 1, 3, 1000} {
			g.questions()
			got, _, _ := g.pages(t, fmt.Sprintf("/api/v1/pods?limit=%d", limit), "")
			if !slices.Equal(got, want) {
				t.Errorf("%s, limit %d: %v", name, limit, got)
			}
			if n := len(g.questions()); limit == 0 && (name == "few") != (n < 10) {
				t.Errorf("%s: %d questions", name, n)
			}
		}
	}
}
