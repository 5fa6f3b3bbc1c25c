package pmap

import (
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"
)

// A map of random changes is what Go's own map is, and every version stays what it was.
func TestVersionsAreMaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m Map[int]
		edit := new(Edit)
		want := map[string]int{}
		versions, wants := []Map[int]{}, []map[string]int{}
		for i, op := range rapid.SliceOfN(rapid.IntRange(0, 300), 0, 400).Draw(t, "operations") {
			key := fmt.Sprint("k", op%97)
			switch {
			case op < 180:
				m, want[key] = m.Set(edit, key, i), i
			case op < 290:
				m = m.Delete(edit, key)
				delete(want, key)
			case op < 295:
				versions, wants, edit = append(versions, m), append(wants, maps.Clone(want)), new(Edit)
			default:
				versions, wants, edit = append(versions, m), append(wants, maps.Clone(want)), nil
			}
		}
		versions, wants = append(versions, m), append(wants, want)
		for i, m := range versions {
			if got := maps.Collect(m.All()); !maps.Equal(got, wants[i]) {
				t.Fatalf("version %d: %v, want %v", i, got, wants[i])
			}
			for op := range 97 {
				key := fmt.Sprint("k", op)
				got, ok := m.Get(key)
				if v, has := wants[i][key]; ok != has || got != v {
					t.Fatalf("version %d: %s is %d %v, want %d %v", i, key, got, ok, v, has)
				}
			}
			if m.Empty() != (len(wants[i]) == 0) {
				t.Fatalf("version %d: empty %v", i, m.Empty())
			}
		}
	})
}

// Keys whose hashes are the same are found, changed and taken out one by one.
func TestCollisions(t *testing.T) {
	root := &node[int]{}
	keys := []string{"a", "b", "c", "d"}
	for i, key := range keys {
		root = root.set(nil, 7, deepest, entry[int]{key, i})
		root = root.set(nil, 7, deepest, entry[int]{key, i + 1})
	}
	for i, key := range keys {
		if at := root.find(key); at < 0 || root.entries[at].value != i+1 {
			t.Errorf("%s is at %d", key, at)
		}
		root = root.delete(nil, 7, deepest, key)
		if root.find(key) >= 0 {
			t.Errorf("%s is still there", key)
		}
	}
	if len(root.entries) != 0 {
		t.Error(root.entries)
	}
}

func TestStopsEarly(t *testing.T) {
	var m Map[int]
	for i := range 1000 {
		m = m.Set(nil, fmt.Sprint(i), i)
	}
	n := 0
	for range m.All() {
		if n++; n == 500 {
			break
		}
	}
	if n != 500 {
		t.Error(n)
	}
}

func TestGetAllocatesNothing(t *testing.T) {
	var m Map[*int]
	edit := new(Edit)
	for i := range 100_000 {
		m = m.Set(edit, fmt.Sprint("user-", i), &i)
	}
	for _, key := range []string{"user-1", "user-99999", "nobody"} {
		if n := testing.AllocsPerRun(100, func() { m.Get(key) }); n != 0 {
			t.Errorf("%s: %v allocations", key, n)
		}
	}
}

func BenchmarkMap(b *testing.B) {
	for _, size := range []int{10, 1000, 100_000} {
		var m Map[*int]
		edit := new(Edit)
		keys := make([]string, size)
		for i := range keys {
			keys[i] = fmt.Sprint("user-", i)
			m = m.Set(edit, keys[i], &i)
		}
		b.Run(fmt.Sprintf("get/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				m.Get(keys[i%size])
			}
		})
		b.Run(fmt.Sprintf("set/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				m.Set(nil, keys[i%size], nil)
			}
		})
	}
}
