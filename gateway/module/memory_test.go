package module

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/posternhq/postern/gateway/module/service"
)

func TestLinearMemory(t *testing.T) {
	var used atomic.Int64
	a := &allocator{limit: 4 * pageSize, used: &used}
	m := a.Allocate(pageSize, 1<<32)
	b := m.Reallocate(pageSize)
	if len(b) != pageSize || used.Load() != pageSize {
		t.Fatalf("%d bytes, %d used", len(b), used.Load())
	}
	copy(b, "kept")
	grown := m.Reallocate(4 * pageSize)
	if len(grown) != 4*pageSize || !bytes.HasPrefix(grown, []byte("kept")) || &grown[0] != &b[0] || used.Load() != 4*pageSize {
		t.Errorf("%d bytes, %d used", len(grown), used.Load())
	}
	grown[len(grown)-1] = 1
	if m.Reallocate(5*pageSize) != nil || used.Load() != 4*pageSize {
		t.Errorf("grows beyond its limit, %d used", used.Load())
	}
	m.Free()
	m.Free()
	a.free()
	if used.Load() != 0 || m.Reallocate(pageSize) != nil {
		t.Errorf("%d used after the end", used.Load())
	}
}

// TestMemoryIsReturned has the kernel say what is mapped.
func TestMemoryIsReturned(t *testing.T) {
	const limit = 777 * pageSize // nobody else's size
	var used atomic.Int64
	a := &allocator{limit: limit, used: &used}
	before := mapped(t, limit)
	m := a.Allocate(0, limit)
	if during := mapped(t, limit); during != before+1 {
		t.Errorf("%d mappings before, %d with one more", before, during)
	}
	m.Free()
	if after := mapped(t, limit); after != before {
		t.Errorf("%d mappings before, %d after", before, after)
	}
}

// mapped counts this process's mappings of a size.
func mapped(t *testing.T, size int64) (n int) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		if _, err := fmt.Sscanf(line, "%x-%x", &from, &to); err == nil && to-from == size {
			n++
		}
	}
	return n
}

func TestNoRoomForMemory(t *testing.T) {
	var used atomic.Int64
	m := (&allocator{limit: 1 << 62, used: &used}).Allocate(0, 1<<62)
	if m.Reallocate(pageSize) != nil || used.Load() != 0 {
		t.Error("memory that the system does not have")
	}
	m.Free()
}

// TestQueuesOfAnInstance has clients come and go while the guest is busy with somebody else.
func TestQueuesOfAnInstance(t *testing.T) {
	i := &instance{gen: &Generation{image: &image{async: true}}, wake: make(chan struct{}, 1), requests: map[uint32]*request{}, calls: map[uint32]context.CancelFunc{}}
	known := &request{id: 1}
	i.post(known)
	i.starts = nil // told
	for id := range uint32(1000) {
		r := &request{id: id + 2}
		i.post(r)
		i.drop(r)
		i.drop(r)
	}
	if len(i.starts) != 0 || len(i.cancels) != 0 || i.runnable != 1 || len(i.requests) != 1 {
		t.Errorf("%d starts, %d cancels, %d runnable, %d requests", len(i.starts), len(i.cancels), i.runnable, len(i.requests))
	}
	i.drop(known)
	if len(i.cancels) != 1 || i.runnable != 0 || len(i.requests) != 0 {
		t.Errorf("%d cancels, %d runnable, %d requests", len(i.cancels), i.runnable, len(i.requests))
	}
}

// TestNumbers are what a guest sees as i32: above 0 for ever.
func TestNumbers(t *testing.T) {
	for n, want := range map[uint32]uint32{0: 1, 1: 2, 0x7ffffffe: 0x7fffffff, 0x7fffffff: 1, 0x80000000: 1, 0xffffffff: 1} {
		if got := next31(n); got != want {
			t.Errorf("after %#x comes %#x, want %#x", n, got, want)
		}
	}
}

func TestCoversKube(t *testing.T) {
	g := &service.Grants{Kube: []service.KubeGrant{{Groups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"*"}}}}
	if !g.CoversKube([]string{""}, []string{"pods"}, []string{"get"}) || g.CoversKube([]string{""}, []string{"pods", "secrets"}, []string{"get"}) {
		t.Error("covers what is not granted, or does not cover what is")
	}
}
