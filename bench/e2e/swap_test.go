package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

const (
	swaps    = 20
	swapLoad = 500 // requests a second
)

// greeter is the source of a module that greets with a word of its own.
const greeter = `package main

import "github.com/posternhq/postern/hostabi/guest"

func init() {
	guest.Handle("GET", "/v1/greetings", func(r *guest.Request, w *guest.Response) error {
		return w.WriteString("word0000")
	})
}

func main() {}
`

const greeterManifest = "name: greeter\nversion: word0000\nserves:\n- {group: greeter.example.io, versions: [v1]}\n"

// word is the greeter's n-th word. All have the same length, so that a greeter can be made out of another's bytes: a
// module that has never been seen before, without a compiler's work for each.
func word(n int) string { return fmt.Sprintf("word%04d", n) }

// greeterOf is the module that answers word n.
func greeterOf(t *testing.T, n int) []byte {
	t.Helper()
	return bytes.ReplaceAll(greeterZero(t), []byte(word(0)), []byte(word(n)))
}

// TestSwapUnderLoad replaces a module many times, each time by one that was never compiled before, while it is asked 500
// times a second: no request fails, and each new answer comes. How long that takes is printed, not judged: two seconds are
// the aim on two idle cores, and what a busy machine makes of a second of compiling says nothing about the gateway.
func TestSwapUnderLoad(t *testing.T) {
	file := filepath.Join(modulesDir(t), "greeter.wasm")
	t.Cleanup(func() { _ = os.Remove(file) })
	c := client(t)
	replace(t, file, greeterOf(t, 1))
	waitWord(t, c, word(1))
	ctx, cancel := context.WithCancel(t.Context())
	load := startLoad(ctx, t, c, swapLoad)
	var took []time.Duration
	for i := range swaps {
		next := greeterOf(t, 100+i)
		start := time.Now()
		replace(t, file, next)
		waitWord(t, c, word(100+i))
		took = append(took, time.Since(start).Round(time.Millisecond))
	}
	cancel()
	sent, failed := load()
	slices.Sort(took)
	t.Logf("%d swaps under %d requests; from the new file to the new answer: median %s, slowest %s", swaps, sent, took[swaps/2], took[swaps-1])
	if failed > 0 {
		t.Errorf("%d of %d requests failed", failed, sent)
	}
}

// TestBrokenModuleLeavesTheOldOne puts a file in place that is no module: the one before serves on, and it is said.
func TestBrokenModuleLeavesTheOldOne(t *testing.T) {
	file := filepath.Join(modulesDir(t), "greeter.wasm")
	t.Cleanup(func() { _ = os.Remove(file) })
	c := client(t)
	replace(t, file, greeterOf(t, 1))
	waitWord(t, c, word(1))
	replace(t, file, []byte("\x00asm\x01\x00\x00\x00 and then rubbish"))
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if strings.Contains(adminGet(t, "/readyz?verbose"), "greeter.wasm") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("/readyz?verbose does not name the file that cannot be loaded")
		}
	}
	if code, body, _ := do(t, c, greeting); code != 200 || body != word(1) {
		t.Errorf("got %d %q, want the module of before", code, body)
	}
	if m := adminGet(t, "/metrics"); !strings.Contains(m, `postern_module_file_failed{file="greeter.wasm"} 1`) {
		t.Error("the metric does not say that the file failed")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if code, _, _ := do(t, c, greeting); code == 404 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the module serves on though its file is gone")
		}
	}
}

var greeting = request{path: "/kapis/greeter.example.io/v1/greetings", user: "admin"}

// startLoad sends a request `perSecond` times a second until ctx ends. The result waits for all and counts them.
func startLoad(ctx context.Context, t *testing.T, c *http.Client, perSecond int) func() (sent, failed int64) {
	t.Helper()
	var ok, bad atomic.Int64
	var all sync.WaitGroup
	limiter := rate.NewLimiter(rate.Limit(perSecond), perSecond/10)
	req, err := http.NewRequest(http.MethodGet, stack.URLs["gateway"]+greeting.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", userPassword(t, "admin"))
	for range 32 {
		all.Go(func() {
			for limiter.Wait(ctx) == nil {
				resp, err := c.Do(req.Clone(context.Background()))
				if err != nil {
					t.Log(err)
					bad.Add(1)
					continue
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != 200 || !bytes.HasPrefix(body, []byte("word")) {
					t.Logf("got %d %.200s (%v)", resp.StatusCode, body, err)
					bad.Add(1)
					continue
				}
				ok.Add(1)
			}
		})
	}
	return func() (int64, int64) {
		all.Wait()
		return ok.Load() + bad.Load(), bad.Load()
	}
}

// greeterZero compiles the greeter, once for all tests.
func greeterZero(t *testing.T) []byte {
	t.Helper()
	built.Do(func() {
		// Inside the repository, so that the Go command finds its module.
		dir, err := os.MkdirTemp(filepath.Join(stack.Root, "bench", "e2e"), "greeter-*")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		for name, text := range map[string]string{"main.go": greeter, "module.yaml": greeterManifest} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		out := filepath.Join(dir, "greeter.wasm")
		postern(t, "module", "build", dir, "-o", out)
		if zero, err = os.ReadFile(out); err != nil {
			t.Fatal(err)
		}
	})
	return zero
}

var (
	built sync.Once
	zero  []byte
)

// replace puts a file in place in one step, as an operator would.
func replace(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file+".tmp", content, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".tmp", file); err != nil {
		t.Fatal(err)
	}
}

// waitWord waits until the greeter answers word.
func waitWord(t *testing.T, c *http.Client, word string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, body, _ := do(t, c, greeting); body == word {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the module did not answer %q within 30 s", word)
		}
	}
}

// modulesDir is the folder that the stack's gateway loads modules from.
func modulesDir(t *testing.T) string {
	t.Helper()
	out := postern(t, "config", "print", "--config", stack.Config, "-o", "json")
	var c struct {
		Postern struct{ Modules struct{ Dir string } }
	}
	decode(t, out, &c)
	return c.Postern.Modules.Dir
}

func adminGet(t *testing.T, path string) string {
	t.Helper()
	resp, err := client(t).Get(stack.URLs["gateway-admin"] + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
