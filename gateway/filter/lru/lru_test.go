package lru

import (
	"math/rand/v2"
	"sync"
	"testing"
)

func TestBounds(t *testing.T) {
	c := New[string, int](1, 3, 100)
	for i, key := range []string{"a", "b", "c"} {
		c.Put(key, i, 10)
	}
	c.Get("a")
	c.Put("d", 3, 10) // b is the oldest
	if _, ok := c.Get("b"); ok || c.Len() != 3 || c.Weight() != 30 {
		t.Errorf("b is there: %v; %d entries of %d", ok, c.Len(), c.Weight())
	}
	if c.Put("e", 4, 101) || c.Len() != 3 {
		t.Error("what is too heavy was taken, or cost others")
	}
	if !c.Put("f", 5, 90) || c.Len() != 2 || c.Weight() != 100 {
		t.Errorf("%d entries of %d", c.Len(), c.Weight())
	}
	c.Put("f", 6, 1)
	if v, ok := c.Get("f"); !ok || v != 6 || c.Weight() != 11 {
		t.Errorf("replaced: %d %v, %d", v, ok, c.Weight())
	}
	c.Delete("f")
	c.Delete("f")
	if c.Len() != 1 || c.Weight() != 10 {
		t.Errorf("%d entries of %d", c.Len(), c.Weight())
	}
	sum := 0
	if c.Each(func(v int) { sum += v }); sum != 3 { // d is left
		t.Errorf("the values' sum is %d", sum)
	}
	if c.Clear(); c.Len() != 0 || c.Weight() != 0 {
		t.Errorf("cleared: %d entries of %d", c.Len(), c.Weight())
	}
}

func TestGetOrAdd(t *testing.T) {
	c := New[int, int](4, 100, 0)
	made := 0
	fresh := func() int { made++; return made }
	if a, b := c.GetOrAdd(1, fresh), c.GetOrAdd(1, fresh); a != 1 || b != 1 {
		t.Errorf("got %d, %d", a, b)
	}
	if n := testing.AllocsPerRun(100, func() { c.GetOrAdd(1, fresh) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestConcurrent(t *testing.T) {
	c := New[uint32, uint32](8, 64, 640)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 5000 {
				k := rand.Uint32N(200)
				c.Put(k, k, int64(k%10))
				if v, ok := c.Get(k); ok && v != k {
					t.Errorf("%d is %d", k, v)
				}
				c.Delete(rand.Uint32N(200))
			}
		})
	}
	all.Wait()
	if c.Len() > 64 || c.Weight() > 640 || c.Weight() < 0 {
		t.Errorf("%d entries of %d", c.Len(), c.Weight())
	}
}
