package cache

import (
	"sync"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
)

// flights are the requests under way by key: others that want the same wait for them. There are never more of them than
// requests in flight.
type flights struct {
	mu  sync.Mutex
	now map[string]chan struct{}
}

// join makes the caller the one who asks, or returns whom to wait for.
func (f *flights) join(key string) (wait chan struct{}, leads bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.now[key]; c != nil {
		return c, false
	}
	if f.now == nil {
		f.now = map[string]chan struct{}{}
	}
	c := make(chan struct{})
	f.now[key] = c
	return c, true
}

// land lets those who wait go on.
func (f *flights) land(key string, c chan struct{}) {
	f.mu.Lock()
	delete(f.now, key)
	f.mu.Unlock()
	close(c)
}

// patience is how long a request waits for another one that asks the same, before it asks itself.
const patience = 5 * time.Second

// await waits for c, for the client to leave, or for patience to end.
func await(x *exchange.Exchange, c chan struct{}) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c:
	case <-timer.C:
	case <-x.Context().Done():
	}
}
