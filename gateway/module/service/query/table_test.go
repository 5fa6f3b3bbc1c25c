package query

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/posternhq/postern/hostabi"
)

func binding(name string, subjects ...string) []byte {
	var all []string
	for _, s := range subjects {
		all = append(all, fmt.Sprintf(`{"kind":"User","name":%q}`, s))
	}
	return fmt.Appendf(nil, `{"metadata":{"name":%q},"subjects":[%s],"roleRef":{"name":"role-%d"}}`, name, strings.Join(all, ","), len(subjects))
}

// namesOf are the rows' names, in order.
func namesOf(rows []*Row) string {
	var all []string
	for _, r := range rows {
		all = append(all, r.Name)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// TestTableFindsWhatIsThere: whatever has come, changed and gone, an index finds what looking at each row finds.
func TestTableFindsWhatIsThere(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	people := []string{"ann", "bob", "cat", "dan"}
	table, kept := NewTable(map[string][]byte{"b0": binding("b0", "ann", "bob")}), map[string][]byte{"b0": binding("b0", "ann", "bob")}
	for range 2000 {
		key := fmt.Sprintf("b%d", random.IntN(20))
		if random.IntN(3) == 0 {
			table.Remove(key)
			delete(kept, key)
		} else {
			raw := binding(key, people[random.IntN(4)], people[random.IntN(4)], people[random.IntN(4)])
			table.Put(key, raw)
			kept[key] = raw
		}
		texts := people[random.IntN(4):][:1]
		if random.IntN(2) == 0 {
			texts = append(slices.Clone(texts), "bob", "nobody")
		}
		got, ok := table.Find("/subjects/name", texts)
		var want []*Row
		for _, raw := range kept {
			if slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(string(raw), fmt.Sprintf("%q}", s)) }) {
				want = append(want, NewRow(raw))
			}
		}
		if !ok || namesOf(got) != namesOf(want) {
			t.Fatalf("%q: found %s, want %s", texts, namesOf(got), namesOf(want))
		}
		if len(table.All()) != len(kept) {
			t.Fatalf("%d rows, want %d", len(table.All()), len(kept))
		}
	}
}

func TestTableHasFewIndexes(t *testing.T) {
	table := NewTable(map[string][]byte{"b": binding("b", "ann")})
	for i := range maxIndexes {
		if _, ok := table.Find(fmt.Sprintf("/a/%d", i), []string{"x"}); !ok {
			t.Errorf("no index %d", i)
		}
	}
	if _, ok := table.Find("/subjects/name", []string{"ann"}); ok {
		t.Error("one more")
	}
	if _, ok := table.Find("subjects", []string{"ann"}); ok {
		t.Error("an index of no path")
	}
}

// TestTableIsShared is for the race detector.
func TestTableIsShared(t *testing.T) {
	table := NewTable(map[string][]byte{})
	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() {
			for i := range 200 {
				key := fmt.Sprintf("b%d", i%10)
				switch n {
				case 0:
					table.Put(key, binding(key, "ann", "bob"))
				case 1:
					table.Remove(key)
				case 2:
					rows, _ := table.Find("/subjects/name", []string{"ann", "bob"})
					namesOf(rows)
				default:
					namesOf(slices.Clone(table.All()))
				}
			}
		})
	}
	all.Wait()
}

// tabled answers out of a table, and counts what was found by index.
type tabled struct {
	listed
	table *Table
	found int
}

func (l *tabled) Find(pointer string, texts []string) ([]*Row, bool) {
	l.found++
	return l.table.Find(pointer, texts)
}

// TestWhatIsFoundIsFiltered: an index says where to look, the filters say what stays.
func TestWhatIsFoundIsFiltered(t *testing.T) {
	l := &tabled{table: NewTable(map[string][]byte{
		"b1": binding("b1", "ann"), "b2": binding("b2", "ann", "bob"), "b3": binding("b3", "cat"), "b4": binding("b4", "cat", "dan", "ann"),
	})}
	for _, c := range []struct {
		name, query, only string
		keep              func(*Row) bool
		more              []any
		found             int
		want              string
	}{
		{"by a subject", "", "", nil, []any{hostabi.TagFilter, "\nexact\n/subjects/name\nann"}, 1, "b4 b2 b1/3"},
		{"and the client's filter", "name=2", "", nil, []any{hostabi.TagFilter, "\nexact\n/subjects/name\nann"}, 1, "b2/1"},
		{"of those on the list", "", "", func(r *Row) bool { return r.Name != "b1" }, []any{hostabi.TagFilter, "\nexact\n/subjects/name\nann"}, 1, "b4 b2/2"},
		{"and another", "", "", nil, []any{hostabi.TagFilter, "\nexact\n/subjects/name\nann", hostabi.TagFilter, "\nexact\n/roleRef/name\nrole-2"}, 1, "b2/1"},
		{"by many", "", `["bob","dan","zed"]`, nil, []any{hostabi.TagBy, "/subjects/name"}, 1, "b4 b2/2"},
		{"by nobody", "", `[]`, nil, []any{hostabi.TagBy, "/subjects/name"}, 1, "/0"},
		{"by a substring", "", "", nil, []any{hostabi.TagFilter, "\nsubstring\n/subjects/name\na"}, 0, "b4 b3 b2 b1/4"},
		{"by the client's own key", "who=ann", "", nil, []any{hostabi.TagFilter, "who\nexact\n/subjects/name"}, 0, "b4 b2 b1/3"},
	} {
		l.found, l.list = 0, List{Rows: l.table.All(), Keep: c.keep, Find: l.Find}
		one := call(c.query, append(c.more, hostabi.TagVersion, "v1", hostabi.TagResource, "bindings")...)
		one.Body = nil
		if c.only != "" {
			one.Only = []byte(c.only)
		}
		if got := found(t, New(l).Do(t.Context(), one)); got != c.want || l.found != c.found {
			t.Errorf("%s: %s, want %s; asked %d indexes", c.name, got, c.want, l.found)
		}
		l.list.Find = nil
		if got := found(t, New(l).Do(t.Context(), one)); got != c.want {
			t.Errorf("%s, without an index: %s, want %s", c.name, got, c.want)
		}
	}
	one := call("", hostabi.TagBy, "names")
	if one.Only = []byte(`[]`); New(nil).Do(t.Context(), one).Code != hostabi.BadArgument {
		t.Error("a path that is none")
	}
}

// BenchmarkFind is the bindings of ten of 10,000 users.
func BenchmarkFind(b *testing.B) {
	objects := map[string][]byte{}
	for i := range 10_000 {
		objects[fmt.Sprint(i)] = binding(fmt.Sprintf("b-%d", i), fmt.Sprintf("user-%d", i))
	}
	table := NewTable(objects)
	var ten []string
	for i := range 10 {
		ten = append(ten, fmt.Sprintf("user-%d", i*100))
	}
	only, _ := json.Marshal(ten)
	s := New(&listed{list: List{Rows: table.All(), Find: table.Find}})
	one := call("", hostabi.TagBy, "/subjects/name", hostabi.TagVersion, "v1", hostabi.TagResource, "bindings")
	one.Body, one.Only = nil, only
	b.ReportAllocs()
	for b.Loop() {
		if r := s.Do(b.Context(), one); r.Code != hostabi.OK {
			b.Fatal(r)
		}
	}
}
