package impersonation_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/impersonation"
)

// grants allows the questions it holds, written as by question.
type grants []string

func (g grants) Authorize(user *exchange.User, info *exchange.RequestInfo) exchange.Decision {
	return exchange.Decision{Allowed: user.Name == "boss" && info.IsResourceRequest && slices.Contains(g, question(info))}
}

func question(info *exchange.RequestInfo) string {
	return fmt.Sprintf("%s %s/%s/%s %s in %s/%s", info.Verb, info.APIGroup, info.Resource, info.Subresource, info.Name, info.Scope, info.Namespace)
}

// anything allows everything.
type anything struct{}

func (anything) Authorize(*exchange.User, *exchange.RequestInfo) exchange.Decision {
	return exchange.Decision{Allowed: true}
}

// ask sends a request of boss with header lines. x is a copy, without HTTP; passed says whether it was passed on.
func ask(z impersonation.Authorizer, lines ...string) (x exchange.Exchange, resp *fasthttp.Response, left []string, passed bool) {
	ctx := new(fasthttp.RequestCtx)
	for i := 0; i < len(lines); i += 2 {
		ctx.Request.Header.Add(lines[i], lines[i+1])
	}
	s := impersonation.New(impersonation.Options{Authorizer: z})
	exchange.Run(ctx, nil, time.Now(), func(e *exchange.Exchange) {
		e.User = &exchange.User{Name: "boss", Groups: []string{"bosses"}}
		s.Serve(e, func(*exchange.Exchange) { passed = true })
		x.User, x.Impersonator, x.Handled = e.User, e.Impersonator, e.Handled
	})
	for k := range ctx.Request.Header.All() {
		left = append(left, string(k))
	}
	return x, &ctx.Response, left, passed
}

func TestAllowed(t *testing.T) {
	const user, group = "impersonate /users/ %s in Cluster/", "impersonate /groups/ %s in Cluster/"
	alice := fmt.Sprintf(user, "alice")
	for _, c := range []struct {
		name  string
		lines []string
		needs []string
		want  exchange.User
	}{
		{"user", []string{"Impersonate-User", "alice"}, []string{alice}, exchange.User{Name: "alice", Groups: []string{"system:authenticated"}}},
		{"any case", []string{"impersonate-uSER", "alice"}, []string{alice}, exchange.User{Name: "alice", Groups: []string{"system:authenticated"}}},
		{
			"groups",
			[]string{"Impersonate-User", "alice", "Impersonate-Group", "a", "Impersonate-Group", "b"},
			[]string{alice, fmt.Sprintf(group, "a"), fmt.Sprintf(group, "b")},
			exchange.User{Name: "alice", Groups: []string{"a", "b", "system:authenticated"}},
		},
		{"anonymous", []string{"Impersonate-User", "system:anonymous"}, []string{fmt.Sprintf(user, "system:anonymous")}, exchange.User{Name: "system:anonymous", Groups: []string{"system:unauthenticated"}}},
		{
			"named unauthenticated",
			[]string{"Impersonate-User", "alice", "Impersonate-Group", "system:unauthenticated"},
			[]string{alice, fmt.Sprintf(group, "system:unauthenticated")},
			exchange.User{Name: "alice", Groups: []string{"system:unauthenticated"}},
		},
		{
			"service account",
			[]string{"Impersonate-User", "system:serviceaccount:ns:robot"},
			[]string{"impersonate /serviceaccounts/ robot in Namespace/ns"},
			exchange.User{Name: "system:serviceaccount:ns:robot", Groups: []string{"system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"}},
		},
		{
			"looks like a service account",
			[]string{"Impersonate-User", "system:serviceaccount:robot"},
			[]string{fmt.Sprintf(user, "system:serviceaccount:robot")},
			exchange.User{Name: "system:serviceaccount:robot", Groups: []string{"system:authenticated"}},
		},
		{
			"uid and extra",
			[]string{"Impersonate-User", "alice", "Impersonate-Uid", "7", "Impersonate-Extra-Acme.com%2FProject", "p", "Impersonate-Extra-acme.com%2fproject", "q"},
			[]string{alice, "impersonate authentication.k8s.io/uids/ 7 in Cluster/", "impersonate authentication.k8s.io/userextras/acme.com/project p in Cluster/", "impersonate authentication.k8s.io/userextras/acme.com/project q in Cluster/"},
			exchange.User{Name: "alice", UID: "7", Groups: []string{"system:authenticated"}, Extra: map[string][]string{"acme.com/project": {"p", "q"}}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines := append([]string{"Accept", "x"}, c.lines...)
			x, resp, left, passed := ask(grants(c.needs), lines...)
			c.want.Method = "impersonation"
			if !passed || x.Impersonator == nil || x.Impersonator.Name != "boss" || !reflect.DeepEqual(x.User, &c.want) {
				t.Errorf("passed on %v: %+v by %+v, answer %s", passed, x.User, x.Impersonator, resp.Body())
			}
			if !slices.Equal(left, []string{"Accept"}) {
				t.Errorf("headers that went on: %q", left)
			}
			for i := range c.needs { // each of them is needed
				rest := slices.Delete(slices.Clone(c.needs), i, i+1)
				if _, resp, _, passed := ask(grants(rest), lines...); passed || resp.StatusCode() != 403 {
					t.Errorf("without %q: passed on %v, %d", c.needs[i], passed, resp.StatusCode())
				}
			}
		})
	}
}

func TestRefused(t *testing.T) {
	many := []string{"Impersonate-User", "alice"}
	for i := range 256 {
		many = append(many, "Impersonate-Group", fmt.Sprint(i))
	}
	for _, c := range []struct {
		name    string
		z       impersonation.Authorizer
		code    int
		message string
		lines   []string
	}{
		{"user", grants{}, 403, `users "root" is forbidden: User "boss" cannot impersonate resource "users" in API group "" at the cluster scope`, []string{"Impersonate-User", "root"}},
		{"service account", grants{}, 403, `serviceaccounts "b" is forbidden: User "boss" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "a"`, []string{"Impersonate-User", "system:serviceaccount:a:b"}},
		{"extra", grants{}, 403, `userextras.authentication.k8s.io "v" is forbidden: User "boss" cannot impersonate resource "userextras/k" in API group "authentication.k8s.io" at the cluster scope`, []string{"Impersonate-Extra-K", "v"}},
		{"group alone, not allowed", grants{}, 403, "groups", []string{"Impersonate-Group", "system:masters"}},
		{"group alone, allowed", anything{}, 400, "without a user", []string{"Impersonate-Group", "system:masters"}},
		{"two users", anything{}, 400, "more than one", []string{"Impersonate-User", "a", "impersonate_user", "b"}},
		{"unknown", anything{}, 400, "unknown", []string{"Impersonate-User", "a", "Impersonate-Role", "b"}},
		{"bad key", anything{}, 400, "malformed", []string{"Impersonate-User", "a", "Impersonate-Extra-%zz", "b"}},
		{"no key", anything{}, 400, "malformed", []string{"Impersonate-User", "a", "Impersonate-Extra-", "b"}},
		{"too many", anything{}, 400, "too many", many},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, resp, _, passed := ask(c.z, c.lines...)
			var st struct{ Message string }
			if err := json.Unmarshal(resp.Body(), &st); err != nil {
				t.Fatal(err)
			}
			if passed || resp.StatusCode() != c.code || x.User.Name != "boss" || x.Handled != "impersonation" || !strings.Contains(st.Message, c.message) {
				t.Errorf("passed on %v, %d, %q", passed, resp.StatusCode(), st.Message)
			}
		})
	}
}

func TestNothingAskedFor(t *testing.T) {
	for _, lines := range [][]string{{}, {"Impersonate", "x"}, {"X-Impersonate-User", "x"}, {"Impersonate-User", ""}, {"Impersonate-User", "", "Impersonate-Group", ""}} {
		x, resp, left, passed := ask(grants{}, lines...)
		if !passed || x.User.Name != "boss" || x.Impersonator != nil {
			t.Errorf("%q: passed on %v as %+v: %s", lines, passed, x.User, resp.Body())
		}
		if slices.Contains(left, "Impersonate-User") {
			t.Errorf("%q: %q goes on", lines, left)
		}
	}
}

func TestExplain(t *testing.T) {
	s := impersonation.New(impersonation.Options{Authorizer: grants{}})
	x := &exchange.Exchange{HTTP: new(fasthttp.RequestCtx), User: &exchange.User{Name: "boss"}}
	if f := s.Explain(x); f.Verdict != exchange.Pass || f.Stage != "impersonation" || f.Reason == "" {
		t.Errorf("%+v", f)
	}
	x.HTTP.Request.Header.Set("Impersonate-User", "root")
	if f := s.Explain(x); f.Verdict != exchange.Refuse || f.Code != 403 || !strings.Contains(f.Reason, `"root"`) {
		t.Errorf("%+v", f)
	}
	if f := impersonation.New(impersonation.Options{Authorizer: anything{}}).Explain(x); f.Verdict != exchange.Pass || f.Reason != "may act as root" {
		t.Errorf("%+v", f)
	}
}

// Whatever the header: who may not impersonate stays who they are, and no such header goes on.
func FuzzHeader(f *testing.F) {
	for _, seed := range [][2]string{{"Impersonate-User", "a"}, {"impersonate_extra-%41", "v"}, {"IMPERSONATE-", ""}, {"Impersonate-Uid", "\xff"}, {"Impersonate-Extra-a%", "x"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		x, _, left, passed := ask(grants{}, key, value)
		if x.User.Name != "boss" {
			t.Errorf("%q: %q: became %+v", key, value, x.User)
		}
		for _, k := range left {
			if k := strings.ToLower(strings.ReplaceAll(k, "_", "-")); passed && strings.HasPrefix(k, "impersonate-") {
				t.Errorf("%q goes on", k)
			}
		}
	})
}
