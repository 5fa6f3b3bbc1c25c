package main

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPlatformIsAsLargeAsItSays(t *testing.T) {
	s := size{users: 20, namespaces: 60, bindings: 100}
	count, names := map[string]int{}, map[string]bool{}
	for o := range s.objects() {
		count[o.of.kind]++
		if path := o.of.path(o.namespace) + "/" + o.name; names[path] {
			t.Errorf("%s is there twice", path)
		} else {
			names[path] = true
		}
		for _, text := range []string{o.json(""), o.json(stored(7))} {
			if !json.Valid([]byte(text)) {
				t.Fatalf("no JSON: %s", text)
			}
		}
	}
	for kind, want := range map[string]int{"User": 20, "Namespace": 60, "GlobalRoleBinding": 20, "WorkspaceRoleBinding": 20, "RoleBinding": 60, "WorkspaceRole": 2, "ClusterRole": 2, "GlobalRole": 1} {
		if count[kind] != want {
			t.Errorf("%d of kind %s, want %d", count[kind], kind, want)
		}
	}
}

// What is measured are decisions that are made: the first user may what the questions say, and a change comes through.
func TestPlatformIsDecidedBy(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, s := range []size{sizes[0], {users: 20, namespaces: 1200, bindings: 100}} {
		p, err := follow(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		z, user := authz.NewAuthorizer(authz.RBAC, p.Stores), &exchange.User{Name: userName(0)}
		for q, info := range questions() {
			want := q == "a subresource" || q == "allowed by the platform" || q == "allowed by the workspace"
			if got := z.Authorize(user, &info); got.Allowed != want {
				t.Errorf("%s: %+v", q, got)
			}
		}
		late := object{of: globalRoleBindings, name: "late", rest: `,"roleRef":{"kind":"GlobalRole","name":"scale-regular"},"subjects":[{"kind":"User","name":"late"}]`}
		changed := p.Changed()
		p.server.tell(late)
		info := questions()["allowed by the platform"]
		for !z.Authorize(&exchange.User{Name: "late"}, &info).Allowed {
			select {
			case <-changed:
				changed = p.Changed()
			case <-ctx.Done():
				t.Fatal("a binding is not seen")
			}
		}
		p.stop()
	}
}

func TestChoose(t *testing.T) {
	if all, err := choose("", true); err != nil || len(all) != len(scenarios) {
		t.Errorf("%d scenarios, %v", len(all), err)
	}
	if most, err := choose("", false); err != nil || len(most) != len(scenarios)-1 {
		t.Errorf("%d scenarios, %v", len(most), err)
	}
	if one, err := choose("stack", false); err != nil || len(one) != 1 {
		t.Errorf("%v, %v", one, err)
	}
	if _, err := choose("nothing", false); err == nil {
		t.Error("there is a scenario called nothing")
	}
}
