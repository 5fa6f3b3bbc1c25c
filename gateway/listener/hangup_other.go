//go:build !linux

package listener

// hangups does nothing where there is no epoll: a client that leaves is noticed when a write to it fails.
type hangups struct{}

func newHangups() (*hangups, error) { return &hangups{}, nil }
func (h *hangups) watch(*socket)    {}
func (h *hangups) forget(*socket)   {}
func (h *hangups) close()           {}
