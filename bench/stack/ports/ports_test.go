package ports

import (
	"net"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPreferredPortIsChosen(t *testing.T) {
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := probe.Addr().(*net.TCPAddr).Port
	_ = probe.Close()
	if port := reserve(t, open(t, filepath.Join(t.TempDir(), "ports.json")), "gateway", free); port != free {
		t.Errorf("got port %d, want the preferred %d", port, free)
	}
}

func open(t *testing.T, path string) *Book {
	t.Helper()
	b, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func reserve(t *testing.T, b *Book, name string, preferred int) int {
	t.Helper()
	port, err := b.Reserve(name, preferred)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Release(name) })
	return port
}

func TestSamePortsOnTheNextRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ports.json")
	first := open(t, path)
	port := reserve(t, first, "etcd", 0)
	if err := first.Save(); err != nil {
		t.Fatal(err)
	}
	first.Release("etcd")
	if again := reserve(t, open(t, path), "etcd", 0); again != port {
		t.Errorf("got port %d, want %d again", again, port)
	}
}

func TestTakenPortsAreLeftAlone(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	preferred := taken.Addr().(*net.TCPAddr).Port
	if port := reserve(t, open(t, filepath.Join(t.TempDir(), "ports.json")), "gateway", preferred); port == preferred || port == 0 {
		t.Errorf("got port %d, which is taken", port)
	}
}

func TestReservedPortsAreHeldUntilReleased(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "ports.json"))
	port := reserve(t, b, "kwok", 0)
	if l, err := net.Listen("tcp", Address(port)); err == nil {
		_ = l.Close()
		t.Error("somebody else could take a reserved port")
	}
	early, err := net.Dial("tcp", Address(port))
	if err == nil { // the reset may come during the dial or after it
		_, err = early.Read(make([]byte, 1))
		_ = early.Close()
	}
	if err == nil {
		t.Error("a reserved port answers")
	}
	b.Release("kwok")
	l, err := net.Listen("tcp", Address(port))
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}
