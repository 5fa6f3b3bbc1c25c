package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/moduletest"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/gateway/module/service/kube"
	"github.com/posternhq/postern/gateway/module/service/query"
)

func created(i int) string { return fmt.Sprintf("2026-01-01T%02d:%02d:%02dZ", i/3600, i/60%60, i%60) }

// large is a kube-apiserver with as many users, each with a role of the platform.
func large(tb testing.TB, users int) *kube.Service {
	tb.Helper()
	list := func(kind string, item func(i int) string) []byte {
		var b strings.Builder
		fmt.Fprintf(&b, `{"kind":"%sList","apiVersion":"iam.kubesphere.io/v1alpha2","metadata":{"resourceVersion":"1"},"items":[`, kind)
		for i := range users {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"kind":%q,"apiVersion":"iam.kubesphere.io/v1alpha2",%s}`, kind, item(i))
		}
		b.WriteString(`]}`)
		return []byte(b.String())
	}
	bodies := map[string][]byte{
		"users": list("User", func(i int) string {
			return fmt.Sprintf(`"metadata":{"name":"user-%d","uid":"%d","creationTimestamp":%q},"spec":{"email":"user-%d@example.com","password":"$2a$10$secret"},"status":{"state":"Active"}`, i, i, created(i), i)
		}),
		"globalrolebindings": list("GlobalRoleBinding", func(i int) string {
			return fmt.Sprintf(`"metadata":{"name":"b-%d","creationTimestamp":%q,"labels":{"iam.kubesphere.io/user-ref":"user-%d"}},"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"user-%d"}],"roleRef":{"kind":"GlobalRole","name":"platform-%d"}`, i, created(i), i, i, i%3)
		}),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("watch") {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		_, _ = w.Write(bodies[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]])
	}))
	s, err := kube.New(kube.Options{Config: &rest.Config{Host: server.URL}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.Close()
		server.Close()
	})
	return s
}

// manyUsersAre: a page of many users is as one of few, each with its role.
func manyUsersAre(t *testing.T, b *bench) {
	b.world.real = large(t, 1000)
	got := b.ask(t, "admin", "GET /users?limit=2&page=2", "", http.StatusOK)
	const user = `{"kind":"User","apiVersion":"iam.kubesphere.io/v1alpha2","metadata":{"name":"user-%[1]d","uid":"%[1]d","creationTimestamp":%[2]q,` +
		`"annotations":{"iam.kubesphere.io/globalrole":"platform-%[3]d"}},"spec":{"email":"user-%[1]d@example.com"},"status":{"state":"Active"}}`
	of := func(i int) string { return fmt.Sprintf(user, i, created(i), i%3) }
	if want := `{"items":[` + of(997) + "," + of(996) + `],"totalItems":1000}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if names, total := b.list(t, "admin", "GET /users?globalrole=platform-1&limit=3&name=99"); names != "user-997 user-994 user-991" || total != 6 {
		t.Errorf("by role: %s, %d", names, total)
	}
}

// BenchmarkListUsers is a page of ten of 10,000 users, with their roles.
func BenchmarkListUsers(b *testing.B) {
	s := large(b, 10_000)
	grants := service.Grants{Access: true, Accounts: true, Kube: []service.KubeGrant{{Groups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}}}
	m := moduletest.New(b, module.Services{Kube: s, Query: query.New(s), Access: accessService{}}, module.Policy{Limits: module.DefaultLimits(), Grants: grants})
	ten := moduletest.Request{URI: "/kapis/iam.kubesphere.io/v1alpha2/users?limit=10", User: &exchange.User{Name: "admin"}}
	b.ReportAllocs()
	for b.Loop() {
		if a := m.Wasm(ten); a.Code != 200 {
			b.Fatal(a)
		}
	}
}
