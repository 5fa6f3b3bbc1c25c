package listener

import (
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// hangups notices clients that leave while nobody reads from them: one epoll set for all connections, one system call
// a connection, none a request. The set is itself waited for by Go's poller, so it costs a goroutine but no thread.
type hangups struct {
	epoll *os.File
	done  chan struct{}

	mu   sync.Mutex
	last uint64             // token given last; tokens are not given twice, so that a late event of a closed connection hits nobody
	by   map[uint64]*socket // bounded by Options.MaxConnections
}

func newHangups() (*hangups, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot watch for clients that leave: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("cannot watch for clients that leave: %w", err)
	}
	h := &hangups{epoll: os.NewFile(uintptr(fd), "epoll"), done: make(chan struct{}), by: map[uint64]*socket{}}
	go h.run()
	return h, nil
}

// watch adds s, if it has a file descriptor. Where that fails, the client's leaving shows in a failing write only.
func (h *hangups) watch(s *socket) {
	sc, ok := s.Conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	h.mu.Lock()
	h.last++
	s.token = h.last
	h.by[s.token] = s
	h.mu.Unlock()
	event := unix.EpollEvent{Events: unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff, Fd: int32(uint32(s.token)), Pad: int32(s.token >> 32)}
	var added error
	err = raw.Control(func(fd uintptr) {
		_ = h.control(func(epoll int) { added = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, int(fd), &event) })
	})
	if err != nil || added != nil {
		h.forget(s)
	}
}

// control calls f with the descriptor of the set, unless that is closed.
func (h *hangups) control(f func(epoll int)) error {
	raw, err := h.epoll.SyscallConn()
	if err != nil {
		return fmt.Errorf("cannot use the epoll set: %w", err)
	}
	return raw.Control(func(fd uintptr) { f(int(fd)) })
}

// forget must come before s is closed; closing takes it out of the set.
func (h *hangups) forget(s *socket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.by, s.token)
}

// run hands out events until the set is closed.
func (h *hangups) run() {
	defer close(h.done)
	raw, err := h.epoll.SyscallConn()
	if err != nil {
		return
	}
	var events [128]unix.EpollEvent
	_ = raw.Read(func(fd uintptr) bool {
		for {
			n, err := unix.EpollWait(int(fd), events[:], 0)
			if err != nil && err != unix.EINTR {
				return true
			}
			if err == nil && n == 0 {
				return false // wait in Go's poller
			}
			for _, e := range events[:max(n, 0)] {
				h.hangup(uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32)
			}
		}
	})
}

func (h *hangups) hangup(token uint64) {
	h.mu.Lock()
	s := h.by[token]
	h.mu.Unlock()
	if s != nil {
		s.peer.Hangup()
	}
}

// close ends the watching and waits for it to have ended.
func (h *hangups) close() {
	_ = h.epoll.Close()
	<-h.done
}
