package build

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// The version that the binary says of itself has to be the one it was built from.
func TestVersionIsTheModules(t *testing.T) {
	data, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), "\n\tk8s.io/kubernetes "+kubeVersion+"\n") {
		t.Errorf("go.mod does not require k8s.io/kubernetes %s", kubeVersion)
	}
	if minor := strings.Split(kubeVersion, ".")[1]; !strings.Contains(kubeLDFlags(), "gitMinor="+minor) {
		t.Errorf("the linker flags %q do not say minor version %s", kubeLDFlags(), minor)
	}
}

func TestSumFollowsSources(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sum := func() string {
		t.Helper()
		s, err := kubeSum(dir)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	write("go.mod", "module m")
	write("go.sum", "")
	write("kube/main.go", "package main")
	first := sum()
	if sum() != first {
		t.Error("the sum of the same sources differs")
	}
	for _, name := range []string{"go.mod", "go.sum", "kube/main.go", "kube/more.go"} {
		before := sum()
		write(name, "changed")
		if sum() == before {
			t.Errorf("a change of %s goes unnoticed", name)
		}
	}
}

func TestOneBuildAtATime(t *testing.T) {
	said := make(chan struct{}, 1)
	b := &Builder{Bin: t.TempDir(), Say: func(string, ...any) { said <- struct{}{} }}
	inside, first := make(chan struct{}), make(chan error, 1)
	var finished atomic.Bool
	go func() {
		first <- b.exclusive(t.Context(), "kube", func() error {
			close(inside)
			<-said // the second one says that it waits
			finished.Store(true)
			return nil
		})
	}()
	<-inside
	err := b.exclusive(t.Context(), "kube", func() error {
		if !finished.Load() {
			t.Error("two builds at once")
		}
		return nil
	})
	if err := errors.Join(err, <-first); err != nil {
		t.Error(err)
	}
}

func TestReplaceCopiesOnlyWhatDiffers(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	stat := func() os.FileInfo {
		t.Helper()
		if err := replace(from, to); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(to)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	if err := os.WriteFile(from, []byte("one"), 0o644); err != nil {
		t.Fatal(err)
	}
	first := stat()
	if !os.SameFile(first, stat()) {
		t.Error("an equal file was replaced")
	}
	if err := os.WriteFile(from, []byte("two"), 0o644); err != nil {
		t.Fatal(err)
	}
	if os.SameFile(first, stat()) {
		t.Error("a different file was not replaced")
	}
}
