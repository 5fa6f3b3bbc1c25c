package module

import (
	"fmt"
	"sync"

	"github.com/posternhq/postern/gateway/module/snapshot"
)

// copies are how the instances of an image are made: the first plainly, and the others as copies of what it was then. A module
// that cannot be copied has no plan, and all its instances are made plainly.
type copies struct {
	mu   sync.Mutex
	plan *snapshot.Plan
	of   *snapshot.Snapshot // what is copied; nil until there is a first instance
	why  string             // why there will not be one
}

// begun starts over: there is no first instance yet. Why says that there will not be one to copy.
func (c *copies) begun(plan *snapshot.Plan, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plan, c.of, c.why = plan, nil, why
}

// begin says what the next instance is a copy of; nil: it is made plainly. Then it may be the first, so others have to wait
// until done has been called.
func (c *copies) begin() (of *snapshot.Snapshot, done func()) {
	c.mu.Lock()
	if c.of == nil && c.why == "" {
		return nil, c.mu.Unlock
	}
	defer c.mu.Unlock()
	return c.of, func() {}
}

// keep takes the snapshot of an instance that was made plainly, is initialised and has not been asked anything. From then on
// it shares its memory with its copies, like any of them.
func (c *copies) keep(i *instance) error {
	if c.plan == nil || c.why != "" {
		return nil
	}
	s, err := c.plan.Capture(i.mod)
	if err != nil {
		c.why = firstLine(err)
		return nil
	}
	if err := i.memory.share(s); err != nil {
		_ = s.Close()
		return fmt.Errorf("cannot share the memory of the first instance: %w", err)
	}
	c.of = s
	c.plan.Forget()
	i.gen.Stats.Memory.Add(s.Held())
	return nil
}

// state is "yes", or "no: " and why the module's instances cannot be copied.
func (c *copies) state() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != "" {
		return "no: " + c.why
	}
	return "yes"
}

// close frees the snapshot. There are no instances any more, and will be none until begun has been called.
func (c *copies) close(g *Generation) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.why = "closed"
	if c.of == nil {
		return nil
	}
	g.Stats.Memory.Add(-c.of.Held())
	err := c.of.Close()
	c.of = nil
	return err
}
