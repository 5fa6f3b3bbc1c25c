package users_test

import (
	"slices"
	"testing"

	"github.com/posternhq/postern/gateway/kube"
)

// TestRegroup: groups are changed as they are stored, also when somebody else changes the user at the same time.
func TestRegroup(t *testing.T) {
	c := newCluster(t)
	k, _ := start(t, c, nil)
	c.put(prefix+"users/lena", map[string]any{"spec": map[string]any{"groups": []any{"devs", "ops"}, "email": "l@x"}})
	tries := 0
	a, err := k.Regroup(t.Context(), "lena", func(has []string) []string {
		if tries++; tries == 1 {
			c.put(prefix+"users/lena", map[string]any{"spec": map[string]any{"groups": []any{"devs", "ops", "new"}, "email": "l@x"}})
		}
		return append(slices.DeleteFunc(has, func(g string) bool { return g == "ops" }), "more")
	})
	if err != nil || !slices.Equal(a.Groups, []string{"devs", "new", "more"}) || tries != 2 {
		t.Errorf("%+v, %v after %d tries", a, err, tries)
	}
	if text(c.get("users/lena"), "spec", "email") != "l@x" {
		t.Errorf("got %v", c.get("users/lena"))
	}
	if a, err := k.Regroup(t.Context(), "lena", func([]string) []string { return nil }); err != nil || len(a.Groups) != 0 {
		t.Errorf("none: %+v, %v", a, err)
	}
	if _, err := k.Regroup(t.Context(), "nobody", func(has []string) []string { return has }); !kube.Missing(err) {
		t.Errorf("nobody: %v", err)
	}
}
