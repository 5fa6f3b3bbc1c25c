package manager

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	one, all := new(Module), new(Module)
	table := &Table{routes: map[string]*Module{"a.io/v1": one, "b.io/": all}}
	for _, c := range []struct {
		group, version string
		want           *Module
	}{
		{"a.io", "v1", one},
		{"a.io", "v2", nil},
		{"a.io", "", nil},
		{"b.io", "", all},
		{"b.io", "v9", all},
		{"c.io", "v1", nil},
		{"", "", nil},
		{strings.Repeat("g", maxRoute), "v1", nil},
		{"b.io", strings.Repeat("v", maxRoute), nil},
		{"a.io/v1", "", nil},
	} {
		if got := table.Find(c.group, c.version); got != c.want {
			t.Errorf("%.20q %.20q: %p", c.group, c.version, got)
		}
	}
	if n := testing.AllocsPerRun(100, func() { table.Find("a.io", "v1"); table.Find("b.io", "v2"); table.Find("c.io", "v1") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
