// Package snapshot lets a module be started once and copied from then on: a copy has the memory and the globals that the
// first instance had when it was initialised, shares the memory's pages until it writes to them, and runs no _initialize.
package snapshot

import (
	"errors"
	"fmt"
	"math"

	"github.com/tetratelabs/wazero/api"
)

// pageSize is the unit of linear memory, bytes.
const pageSize = 65536

// Plan is what the host keeps of a module so that its instances can be copied. It comes from Prepare.
type Plan struct {
	globals []string // names under which the mutable globals are exported
	data    []segment
}

// segment is initial content of the memory.
type segment struct {
	offset uint32
	bytes  []byte
}

// Fill writes the module's data into the memory of an instance that has just been made, before anything of it runs. It fails
// if a segment does not lie within the memory, as instantiating would have.
func (p *Plan) Fill(memory api.Memory) error {
	for _, s := range p.data {
		if !memory.Write(s.offset, s.bytes) {
			return fmt.Errorf("%d bytes of data at %#x are not within the memory of %d bytes", len(s.bytes), s.offset, memory.Size())
		}
	}
	return nil
}

// Forget frees the data: when there is a snapshot nobody needs it.
func (p *Plan) Forget() { p.data = nil }

// Snapshot is the state of an instance: memory, which its copies share, and globals. Any number of goroutines may use it.
type Snapshot struct {
	pages
	plan    *Plan
	globals []uint64
}

// Capture copies the state of an instance that does not run. The instance stays as it is.
func (p *Plan) Capture(mod api.Module) (*Snapshot, error) {
	memory, ok := mod.Memory().Read(0, mod.Memory().Size())
	if !ok || len(memory) > math.MaxInt32 {
		return nil, errors.New("the memory is too large for a snapshot")
	}
	s := &Snapshot{plan: p, globals: make([]uint64, len(p.globals))}
	for i, name := range p.globals {
		s.globals[i] = mod.ExportedGlobal(name).Get()
	}
	var err error
	if s.pages, err = newPages(memory); err != nil {
		return nil, err
	}
	return s, nil
}

// Size is the length of the memory in bytes.
func (s *Snapshot) Size() int { return s.size }

// Held is how many bytes of the host's memory the snapshot takes: its pages that are not zero.
func (s *Snapshot) Held() int64 { return s.held }

// Map makes the first Size bytes of room equal to the snapshot's memory: its pages are shared, and copied when they are
// written to. room begins at a page, is at least that long, and is private memory of this process that nobody uses meanwhile;
// what it held is gone. After an error it must not be used. Unmapping the room ends the sharing.
func (s *Snapshot) Map(room []byte) error {
	if len(room) < s.size {
		return fmt.Errorf("%d bytes of room for a snapshot of %d", len(room), s.size)
	}
	return s.mapInto(room[:s.size])
}

// Restore makes a new instance, whose memory was mapped, equal to the one of which the snapshot is: the memory's length and
// the globals.
func (s *Snapshot) Restore(mod api.Module) error {
	memory := mod.Memory()
	if missing := s.size - int(memory.Size()); missing > 0 {
		if _, ok := memory.Grow(uint32(missing / pageSize)); !ok {
			return fmt.Errorf("cannot grow the memory to the %d bytes of the snapshot", s.size)
		}
	}
	for i, name := range s.plan.globals {
		global, ok := mod.ExportedGlobal(name).(api.MutableGlobal)
		if !ok {
			return fmt.Errorf("the instance has no mutable global %q", name)
		}
		global.Set(s.globals[i])
	}
	return nil
}

// Close frees what the snapshot holds, but for pages that copies still share. Nothing may use it any more.
func (s *Snapshot) Close() error { return s.close() }
