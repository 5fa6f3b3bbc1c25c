package kube

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/gateway/module/service/query"
	"github.com/posternhq/postern/hostabi"
)

// questioned asks a list as the module, out of the cache unless args say otherwise, and is the names of the page and the total.
func questioned(t *testing.T, s *Service, user *exchange.User, grants *service.Grants, asked string, args ...any) string {
	t.Helper()
	all := append([]any{hostabi.TagVersion, "v1", hostabi.TagResource, "pods", hostabi.TagQuery, asked}, args...)
	r := query.New(s).Do(t.Context(), callOf(user, grants, all...))
	if r.Code != hostabi.OK {
		return r.Code.String()
	}
	var page struct {
		Items      []struct{ Kind, APIVersion string }
		TotalItems int
	}
	if err := json.Unmarshal(r.Body, &page); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s/%d", names(t, r.Body), page.TotalItems)
}

var fromCache = []any{hostabi.TagAs, "module", hostabi.TagSource, "cache"}

func TestQueries(t *testing.T) {
	a := podAPI()
	s := start(t, Options{}, a)
	for want, args := range map[string][]any{
		"a-b/q a/w b/x/5": {"sortBy=name&ascending=true&limit=3"},
		"a/z a/y/2":       {"", hostabi.TagLabelSelector, "app", hostabi.TagNamespace, "a"},
		"a-b/q/1":         {"", hostabi.TagFieldSelector, "metadata.namespace=a-b"},
		"b/x/1":           {"labelSelector=app%3Dweb&name=x"},
		"/0":              {"namespace=nowhere"},
	} {
		if got := questioned(t, s, nil, everything, args[0].(string), append(args[1:], fromCache...)...); got != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
	if st := s.Stats(); st.Hits != 5 || st.Watches != 1 {
		t.Errorf("%+v", st)
	}
}

// TestQueriesFollow: what has been read of an object is forgotten when the object changes or goes.
func TestQueriesFollow(t *testing.T) {
	a := podAPI()
	s := start(t, Options{}, a)
	const order = "sortBy=name&ascending=true"
	holds := func(asked, want string) {
		t.Helper()
		var got string
		defer func() {
			if got != want {
				t.Errorf("?%s: %s, want %s", asked, got, want)
			}
		}()
		eventually(t, want, func() bool {
			got = questioned(t, s, nil, everything, asked, fromCache...)
			return got == want
		})
	}
	holds(order, "a-b/q a/w b/x a/y a/z/5")
	a.send("ADDED", pod("c", "n", ""))
	a.send("DELETED", pod("a", "w", ""))
	a.send("MODIFIED", pod("b", "x", `"app":"new"`))
	holds(order+"&labelSelector=app%3Dnew", "b/x/1")
	holds(order, "c/n a-b/q b/x a/y a/z/5")
	a.set(func() { // everything is read again
		a.objects["/api/v1/pods"] = []string{pod("z", "only", "")}
		a.expired = true
	})
	eventually(t, "a new list", func() bool { lists, _ := a.counts(); return lists > 3 })
	a.set(func() { a.expired = false })
	holds(order, "z/only/1")
}

// TestQueriesAreGrantedAndAllowed: a question to a list is a list.
func TestQueriesAreGrantedAndAllowed(t *testing.T) {
	s := start(t, Options{Authorize: func(u *exchange.User, info *exchange.RequestInfo) exchange.Decision {
		return exchange.Decision{Allowed: u.Name == "alice" && info.Verb == "list" && info.Resource == "pods"}
	}}, podAPI())
	getOnly := &service.Grants{Kube: []service.KubeGrant{{Groups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}}}}
	for _, c := range []struct {
		name   string
		user   string
		grants *service.Grants
		args   []any
		want   string
	}{
		{"granted and allowed", "alice", everything, nil, "a/z/5"},
		{"not allowed", "bob", everything, nil, "denied"},
		{"as the module", "bob", everything, []any{hostabi.TagAs, "module"}, "a/z/5"},
		{"not granted", "alice", getOnly, []any{hostabi.TagAs, "module"}, "denied"},
		{"a bad selector of the module's", "alice", everything, []any{hostabi.TagLabelSelector, "=="}, "bad argument"},
		{"a name", "alice", everything, []any{hostabi.TagNamespace, "a/b"}, "bad argument"},
		{"who is neither", "alice", everything, []any{hostabi.TagAs, "root"}, "bad argument"},
	} {
		if got := questioned(t, s, &exchange.User{Name: c.user}, c.grants, "limit=1&sortBy=name", append(c.args, hostabi.TagSource, "cache")...); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestQueriesShowKinds: objects look alike, kept or not.
func TestQueriesShowKinds(t *testing.T) {
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("watch") {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		fmt.Fprint(w, `{"kind":"UserList","apiVersion":"iam.kubesphere.io/v1alpha2","metadata":{"resourceVersion":"1"},"items":[{"kind":"User","apiVersion":"iam.kubesphere.io/v1alpha2","metadata":{"name":"a","managedFields":[]},"spec":{"password":"x"}}]}`)
	})
	s := start(t, Options{}, server)
	const want = `{"items":[{"kind":"User","apiVersion":"iam.kubesphere.io/v1alpha2","metadata":{"name":"a"},"spec":{}}],"totalItems":1}`
	for _, source := range []string{"cache", "live"} {
		r := query.New(s).Do(t.Context(), callOf(nil, everything, hostabi.TagGroup, "iam.kubesphere.io", hostabi.TagVersion, "v1alpha2", hostabi.TagResource, "users",
			hostabi.TagQuery, "", hostabi.TagAs, "module", hostabi.TagSource, source, hostabi.TagDrop, "/spec/password"))
		if string(r.Body) != want {
			t.Errorf("%s: %v %s %s", source, r.Code, r.Err, r.Body)
		}
	}
	broken := start(t, Options{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"items":{}}`) }))
	if got := questioned(t, broken, nil, everything, "", hostabi.TagAs, "module"); got != "upstream error" {
		t.Error(got)
	}
	if got := questioned(t, start(t, Options{}, podAPI()), nil, everything, "", hostabi.TagAs, "module", hostabi.TagSource, "cache", hostabi.TagGroup, "none.io"); !strings.Contains(got, "not found") {
		t.Error(got)
	}
}

// BenchmarkRows is one page of ten of 10,000 objects, with a change of one before each: what was read of the others stays.
func BenchmarkRows(b *testing.B) {
	st := &store{objects: map[string][]byte{}, kind: "User", apiVersion: "iam.kubesphere.io/v1alpha2", inItems: true}
	object := func(i int) []byte {
		return fmt.Appendf(nil, `{"metadata":{"name":"user-%d","creationTimestamp":"2024-01-01T00:%02d:%02dZ"},"spec":{"email":"user-%d@example.com"}}`, i, i/60%60, i%60, i)
	}
	for i := range 10_000 {
		st.put(fmt.Sprintf("user-%d", i), object(i))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		st.put("user-7", object(7))
		if t, _, ok := st.asked(); !ok || len(t.All()) != 10_000 {
			b.Fatal(ok)
		}
	}
}
