package kube

import (
	"context"
	"fmt"
	"strconv"
	"sync"
)

// progress is how far a feed has come, as a version of the cluster. Kubernetes orders versions as numbers.
type progress struct {
	mu      sync.Mutex
	version uint64
	moved   chan struct{} // closed by the next move; nil: nobody waits
}

// reach says that everything up to version has been taken over.
func (p *progress) reach(version string) {
	v, err := strconv.ParseUint(version, 10, 64)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if v <= p.version {
		return
	}
	p.version = v
	if p.moved != nil {
		close(p.moved)
		p.moved = nil
	}
}

// wait returns when version has been reached, or with an error when ctx ends.
func (p *progress) wait(ctx context.Context, version uint64) error {
	for {
		p.mu.Lock()
		if p.version >= version {
			p.mu.Unlock()
			return nil
		}
		if p.moved == nil {
			p.moved = make(chan struct{})
		}
		moved := p.moved
		p.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Await returns when a version of a kind is in Account and Index, so that who has written it may go by it. Of kinds that are
// not followed, and versions that are none, it returns at once. The error says that ctx has ended.
func (p *Stores) Await(ctx context.Context, group, resource, version string) error {
	v, err := strconv.ParseUint(version, 10, 64)
	if err != nil {
		return nil
	}
	for _, f := range p.feeds {
		if g, r := f.serves(); g != group || r != resource {
			continue
		}
		if err := f.reached().wait(ctx, v); err != nil {
			return fmt.Errorf("cannot wait for %s of version %d: %w", resource, v, err)
		}
		p.swap()
	}
	return nil
}
