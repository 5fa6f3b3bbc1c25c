// Package ports gives each component a free loopback port and the same one again on the next run.
package ports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
)

// Book knows the port of every name. A port is held open from the moment it is chosen until Release, so that two stacks
// that start at the same time never choose the same one; connections to it are reset. A Book is not safe for concurrent use.
type Book struct {
	path  string
	ports map[string]int
	held  map[string]net.Listener
}

// Open reads the ports of an earlier run from the file at path; a missing file is an empty book.
func Open(path string) (*Book, error) {
	b := &Book{path: path, ports: map[string]int{}, held: map[string]net.Listener{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the ports of the last run: %w", err)
	}
	if err := json.Unmarshal(data, &b.ports); err != nil {
		return nil, fmt.Errorf("cannot read the ports of the last run in %q: %w", path, err)
	}
	return b, nil
}

// Reserve chooses a port for name: preferred (0: none), else the last run's, else any free one.
func (b *Book) Reserve(name string, preferred int) (int, error) {
	for i, port := range []int{preferred, b.ports[name], 0} {
		if port == 0 && i < 2 {
			continue // no such wish
		}
		listener, err := net.Listen("tcp", Address(port))
		if err != nil {
			continue // taken by somebody else: try the next
		}
		b.held[name] = listener
		b.ports[name] = listener.Addr().(*net.TCPAddr).Port
		go refuse(listener)
		return b.ports[name], nil
	}
	return 0, fmt.Errorf("cannot find a free port for %q", name)
}

// refuse resets every connection until the listener is closed: whoever comes too early must see that nobody is there, and
// not wait for an answer (the API server would give metrics-server five seconds).
func refuse(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		if tcp, ok := connection.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset leaves no TIME_WAIT on the port
		}
		_ = connection.Close()
	}
}

// Release lets go of the ports of names, for their component to listen on.
func (b *Book) Release(names ...string) {
	for _, name := range names {
		if listener := b.held[name]; listener != nil {
			_ = listener.Close()
			delete(b.held, name)
		}
	}
}

// Save writes the ports down for the next run.
func (b *Book) Save() error {
	data, err := json.MarshalIndent(b.ports, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot save the ports: %w", err)
	}
	if err := os.WriteFile(b.path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("cannot save the ports: %w", err)
	}
	return nil
}

// Address is port on the loopback interface, as host:port.
func Address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
