package listener

import (
	"net"
	"testing"
	"time"
)

// pair is both ends of a TCP connection.
func pair(t *testing.T) (near *socket, far net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if far, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = far.Close(), c.Close() })
	return &socket{Conn: c}, far
}

func gone(s *socket) bool {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if s.peer.Gone() {
			return true
		}
	}
	return false
}

func TestHangups(t *testing.T) {
	h, err := newHangups()
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	stays, other := pair(t)
	h.watch(stays)
	var last *socket
	for range 50 {
		leaves, far := pair(t)
		h.watch(leaves)
		if leaves.token == stays.token || last != nil && leaves.token == last.token {
			t.Fatal("a token was given twice")
		}
		if _, err := far.Write([]byte("data is no hang-up")); err != nil {
			t.Fatal(err)
		}
		_ = far.Close()
		if !gone(leaves) {
			t.Fatal("the hang-up went unnoticed")
		}
		h.forget(leaves)
		_ = leaves.Close() // its descriptor is the next pair's
		last = leaves
	}
	if stays.peer.Gone() {
		t.Error("a connection that stays was hung up")
	}
	h.forget(stays)
	_ = other.Close()
	fence, far := pair(t) // its event comes after that of other
	h.watch(fence)
	_ = far.Close()
	if !gone(fence) || stays.peer.Gone() {
		t.Error("a forgotten connection was hung up")
	}
	if len(h.by) != 1 {
		t.Errorf("%d connections are remembered", len(h.by))
	}
}

// TestHangupBeforeWatch: the client may have left before it is watched.
func TestHangupBeforeWatch(t *testing.T) {
	h, err := newHangups()
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	s, far := pair(t)
	_ = far.Close()
	h.watch(s)
	if !gone(s) {
		t.Error("the hang-up went unnoticed")
	}
}

func TestHangupsWithoutDescriptor(t *testing.T) {
	h, err := newHangups()
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	s := &socket{Conn: near}
	h.watch(s)
	if s.token != 0 || len(h.by) != 0 {
		t.Error("a pipe is being watched")
	}
}
