// Package sessiontest starts real Redis servers for tests.
package sessiontest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a redis-server of Debian on loopback.
type Server struct {
	Host, Password string
	Port           int
	t              testing.TB
	dir            string
	args           []string
	process        *exec.Cmd
	ended          chan struct{}
}

// limit bounds each wait; a start takes a tenth of a second.
const limit = 30 * time.Second

// Redis starts a server that ends with the test. It keeps nothing on disk unless args, as of redis-server, say so. Without
// redis-server the test fails: `make servers` fetches it.
func Redis(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, Host: "127.0.0.1", Password: "a secret", Port: freePort(t), dir: t.TempDir()}
	s.args = append([]string{
		"--bind", s.Host, "--port", strconv.Itoa(s.Port), "--dir", s.dir, "--requirepass", s.Password, "--save", "", "--databases", "4",
	}, args...)
	s.Start()
	t.Cleanup(func() {
		if s.process != nil {
			s.Kill()
		}
	})
	return s
}

// Address is host:port.
func (s *Server) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// Start starts a server that has been killed, on the same port, and waits until it answers.
func (s *Server) Start() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	s.process = exec.Command(program(s.t), s.args...)
	s.process.Stdout, s.process.Stderr = log, log
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.process.Start(); err != nil {
		s.t.Fatalf("cannot start redis-server: %v", err)
	}
	s.ended = make(chan struct{})
	go func(p *exec.Cmd, ended chan struct{}) {
		_ = p.Wait() // killed, or the log says why
		close(ended)
	}(s.process, s.ended)
	for deadline := time.Now().Add(limit); !strings.HasPrefix(s.Do("PING"), "+PONG"); time.Sleep(10 * time.Millisecond) {
		select {
		case <-s.ended:
			said, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.t.Fatalf("redis-server ended:\n%s", said)
		default:
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("redis-server does not answer within %v", limit)
		}
	}
}

// Kill ends it at once, as a crash does.
func (s *Server) Kill() {
	s.t.Helper()
	if err := s.process.Process.Kill(); err != nil {
		s.t.Errorf("cannot kill redis-server: %v", err)
	}
	<-s.ended
	s.process = nil
}

// Signal stops and continues it: SIGSTOP is a server that hangs.
func (s *Server) Signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(signal); err != nil {
		s.t.Fatalf("cannot signal redis-server: %v", err)
	}
}

// Do is the first line that the server answers to one command; what failed, if it does not.
func (s *Server) Do(command ...string) string {
	conn, err := net.DialTimeout("tcp", s.Address(), limit)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(limit)) // a connection that was just made takes deadlines
	in := bufio.NewReader(conn)
	answer := ""
	for _, c := range [][]string{{"AUTH", s.Password}, command} {
		text := fmt.Sprintf("*%d\r\n", len(c))
		for _, word := range c {
			text += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
		}
		if _, err := io.WriteString(conn, text); err != nil {
			return err.Error()
		}
		if answer, err = in.ReadString('\n'); err != nil {
			return err.Error()
		}
	}
	return strings.TrimSpace(answer)
}

// program is Debian's, installed or unpacked.
func program(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if path := filepath.Join(dir, ".postern", "servers", "bin", "redis-server"); exists(path) {
			return path
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("%v: `make servers` fetches it", err)
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func freePort(t testing.TB) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}
