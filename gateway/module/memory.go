package module

import (
	"sync/atomic"

	"github.com/tetratelabs/wazero/experimental"
	"golang.org/x/sys/unix"

	"github.com/posternhq/postern/gateway/module/snapshot"
)

// allocator gives an instance its linear memory: address space for all it may ever have, reserved at once and off the Go
// heap, so that growing copies nothing, untouched pages cost nothing, and the collector's pacing does not see it.
type allocator struct {
	limit   int64              // bytes; growing beyond it fails, and memory.grow returns -1
	used    *atomic.Int64      // bytes of all instances of the module, for its metric
	refused *atomic.Int64      // counts how often the limit was run into; nil: nobody asks
	of      *snapshot.Snapshot // what the memory is a copy of; nil: it is new
	made    *linearMemory      // a module has one memory
}

var _ experimental.MemoryAllocator = (*allocator)(nil)

// Allocate reserves room. When the system has none, the memory is one that cannot hold a byte: instantiating fails.
func (a *allocator) Allocate(_, most uint64) experimental.LinearMemory {
	a.made = &linearMemory{allocator: a}
	if size := min(most, uint64(a.limit)); size > 0 {
		if room, err := unix.Mmap(-1, 0, int(size), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE); err == nil {
			a.made.room = room
		}
	}
	if a.of != nil && a.made.share(a.of) != nil {
		a.made.Free()
	}
	return a.made
}

// free gives the memory of an instance back that never came to be.
func (a *allocator) free() {
	if a.made != nil {
		a.made.Free()
	}
}

// linearMemory is one instance's memory: the first `open` bytes of room can be used.
type linearMemory struct {
	allocator *allocator
	room      []byte
	open      uint64
	shared    uint64 // of these, bytes that belong to a snapshot until they are written to
}

// share makes the memory equal to a snapshot's, whose pages it shares from then on. They do not count as used: the snapshot does,
// once. After an error the memory can only be freed.
func (m *linearMemory) share(s *snapshot.Snapshot) error {
	if err := s.Map(m.room); err != nil {
		return err
	}
	own := m.open - m.shared
	m.shared = uint64(s.Size())
	m.open = max(m.open, m.shared)
	m.allocator.used.Add(int64(m.open-m.shared) - int64(own))
	return nil
}

// Reallocate opens the first size bytes; nil when that is beyond the limit.
func (m *linearMemory) Reallocate(size uint64) []byte {
	if size > uint64(len(m.room)) {
		if m.allocator.refused != nil {
			m.allocator.refused.Add(1)
		}
		return nil
	}
	if size > m.open {
		if err := unix.Mprotect(m.room[m.open:size], unix.PROT_READ|unix.PROT_WRITE); err != nil {
			return nil
		}
		m.allocator.used.Add(int64(size - m.open))
		m.open = size
	}
	return m.room[:size:size]
}

// Free gives everything back, when the instance is closed. A second call does nothing.
func (m *linearMemory) Free() {
	if m.room == nil {
		return
	}
	_ = unix.Munmap(m.room)
	m.allocator.used.Add(-int64(m.open - m.shared))
	m.room, m.open, m.shared = nil, 0, 0
}
