package login

import (
	"context"
	"sync"
)

// turns let one at a time work for a user. They hold as many users as there are attempts under way.
type turns struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // closed when the turn ends
}

// take waits for the turn; false: ctx has ended before.
func (t *turns) take(ctx context.Context, user string) bool {
	for {
		t.mu.Lock()
		taken, ok := t.busy[user]
		if !ok {
			t.busy[user] = make(chan struct{})
		}
		t.mu.Unlock()
		if !ok {
			return true
		}
		select {
		case <-taken:
		case <-ctx.Done():
			return false
		}
	}
}

// give ends the turn.
func (t *turns) give(user string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.busy[user])
	delete(t.busy, user)
}
