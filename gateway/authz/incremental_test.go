package authz_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
)

// have is what a draft has been told, by kind of object.
type have struct {
	roles    [4]map[authz.Key]*authz.Role
	bindings [4]map[authz.Key]*authz.Binding
	spaces   map[string]string
}

func newHave() have {
	h := have{spaces: map[string]string{}}
	for i := range h.roles {
		h.roles[i], h.bindings[i] = map[authz.Key]*authz.Role{}, map[authz.Key]*authz.Binding{}
	}
	return h
}

func (h have) objects() authz.Objects {
	list := func(i int) []*authz.Role { return slices.Collect(maps.Values(h.roles[i])) }
	bindings := func(i int) []*authz.Binding { return slices.Collect(maps.Values(h.bindings[i])) }
	return authz.Objects{
		GlobalRoles: list(0), WorkspaceRoles: list(1), ClusterRoles: list(2), Roles: list(3),
		GlobalRoleBindings: bindings(0), WorkspaceRoleBindings: bindings(1), ClusterRoleBindings: bindings(2), RoleBindings: bindings(3),
		Workspaces: maps.Clone(h.spaces),
	}
}

func rolesOf(d *authz.Draft) []authz.Roles {
	return []authz.Roles{d.GlobalRoles(), d.WorkspaceRoles(), d.ClusterRoles(), d.Roles()}
}

func bindingSets(d *authz.Draft) []authz.Bindings {
	return []authz.Bindings{d.GlobalRoleBindings(), d.WorkspaceRoleBindings(), d.ClusterRoleBindings(), d.RoleBindings()}
}

// changes are random ones, told to a draft and to have.
type changes struct {
	dice
	have have
}

func (c changes) random(d *authz.Draft) {
	kind, namespace := c.IntN(4), ""
	if kind == 3 {
		namespace = c.of("n1", "n2", "n3")
	}
	gone := c.IntN(3) == 0
	switch c.IntN(5) {
	case 0, 1:
		r := c.role(namespace)
		k := authz.Key{Namespace: namespace, Name: r.Name}
		if gone {
			delete(c.have.roles[kind], k)
			rolesOf(d)[kind].Delete(k)
			return
		}
		c.have.roles[kind][k] = r
		rolesOf(d)[kind].Set(r)
	case 2, 3:
		b := c.binding([]string{"GlobalRole", "WorkspaceRole", "ClusterRole", c.of("Role", "ClusterRole")}[kind], namespace)
		k := authz.Key{Namespace: namespace, Name: b.Name}
		if gone {
			delete(c.have.bindings[kind], k)
			bindingSets(d)[kind].Delete(k)
			return
		}
		c.have.bindings[kind][k] = b
		bindingSets(d)[kind].Set(b)
	default:
		ns, workspace := c.of("n1", "n2", "n3", "n4"), c.of("", "w1", "w2")
		delete(c.have.spaces, ns)
		if workspace != "" {
			c.have.spaces[ns] = workspace
		}
		d.SetWorkspace(ns, workspace)
	}
}

// answers is all that an index says, about everybody and much of what may be asked.
func answers(ix *authz.Index, seed uint64) (all []string) {
	z, d := authz.NewAuthorizer("", fixed{index: ix}), dice{rand.New(rand.NewPCG(seed, 7))}
	for range 25 {
		u, info := d.user(), d.request()
		decision := z.Authorize(u, &info)
		names, everywhere := z.Namespaces(u, &info)
		workspaces, _ := z.Workspaces(u, &info)
		missing := z.Covers(u, authz.In(&info), []authz.Rule{{Verbs: []string{info.Verb}, APIGroups: []string{info.APIGroup}, Resources: []string{info.Resource}}})
		all = append(all, fmt.Sprint(decision.Allowed, decision.Why(u), names, everywhere, workspaces, z.Rules(u, info.Namespace), missing))
	}
	return all
}

// After any changes a draft is what one is that was told the result at once, and what was published before stays as it was.
func TestChangedIndexIsTheIndexOfTheChange(t *testing.T) {
	for seed := range uint64(60) {
		c := changes{dice{rand.New(rand.NewPCG(seed, 1))}, newHave()}
		d := authz.NewDraft()
		type published struct {
			index *authz.Index
			says  []string
		}
		var before []published
		for range 12 {
			for range 1 + c.IntN(8) {
				c.random(d)
			}
			ix := d.Commit()
			if ix == nil {
				continue
			}
			want := answers(authz.Build(c.have.objects()), seed)
			if got := answers(ix, seed); !reflect.DeepEqual(got, want) {
				i := slices.IndexFunc(got, func(s string) bool { return !slices.Contains(want, s) })
				t.Fatalf("seed %d, question %d: %s\nwant %s\n%s", seed, i, got[max(i, 0)], want[max(i, 0)], dump(ptr(c.have.objects())))
			}
			before = append(before, published{ix, want})
		}
		for i, p := range before {
			if got := answers(p.index, seed); !reflect.DeepEqual(got, p.says) {
				t.Fatalf("seed %d: index %d has changed after it was published", seed, i)
			}
		}
	}
}

func ptr[T any](v T) *T { return &v }

// What is taken out is given back: a draft with nothing left is as a new one.
func TestDraftForgets(t *testing.T) {
	for seed := range uint64(100) {
		c := changes{dice{rand.New(rand.NewPCG(seed, 2))}, newHave()}
		d := authz.NewDraft()
		for range 200 {
			c.random(d)
		}
		for i := range 4 {
			for _, k := range rolesOf(d)[i].Keys() {
				rolesOf(d)[i].Delete(k)
			}
			for _, k := range bindingSets(d)[i].Keys() {
				bindingSets(d)[i].Delete(k)
			}
			if rolesOf(d)[i].Len()+bindingSets(d)[i].Len()+rolesOf(d)[i].Policies() != 0 {
				t.Error("something is counted")
			}
		}
		if n := d.Rest(); n != 0 {
			t.Fatalf("seed %d: %d are left", seed, n)
		}
		u := &exchange.User{Name: "u1", Groups: []string{"g1", "g2"}}
		if rules := authz.NewAuthorizer("", fixed{index: d.Commit()}).Rules(u, "n1"); rules != nil {
			t.Fatalf("seed %d: %v", seed, rules)
		}
	}
}

// Telling a draft what it knows changes nothing, and readers are not woken.
func TestSameAgainIsNoChange(t *testing.T) {
	d := authz.NewDraft()
	d.Add(platform())
	d.Commit()
	d.Add(platform())
	d.SetWorkspace("not-there", "")
	if d.GlobalRoles().Delete(authz.Key{Name: "not-there"}) || d.RoleBindings().Delete(authz.Key{Name: "not-there"}) || d.Commit() != nil {
		t.Error("it is a change")
	}
}
