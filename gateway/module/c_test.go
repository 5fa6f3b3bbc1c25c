package module

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/posternhq/postern/gateway/module/manifest"
)

// guestC is the C guest of ABI.md: testdata/c/hello.c, compiled with the command that stands there.
func guestC(t *testing.T) []byte {
	t.Helper()
	wasm, err := os.ReadFile("testdata/c/hello.wasm")
	if err != nil {
		t.Fatal(err)
	}
	about, err := os.ReadFile("testdata/c/module.yaml")
	if err != nil {
		t.Fatal(err)
	}
	packed, err := manifest.Pack(wasm, about)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// TestGuestInC has a synchronous guest, written from the specification alone, answer many requests at once.
func TestGuestInC(t *testing.T) {
	g := load(t, engine(t, Services{}), guestC(t), Policy{Limits: DefaultLimits()})
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if code, body := ask(t, "/kapis/test.postern.io/v1/x", g.Serve); code != 200 || body != "hello, alice\n" {
				t.Errorf("got %d %q", code, body)
			}
		})
	}
	all.Wait()
	if n := g.Stats.Instances.Load(); n < 1 || n > maxWorkers {
		t.Errorf("%d instances, want 1 to %d", n, maxWorkers)
	}
}

// TestSpecificationHoldsTheGuest keeps ABI.md's example the one that is tested.
func TestSpecificationHoldsTheGuest(t *testing.T) {
	code, err := os.ReadFile("testdata/c/hello.c")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../hostabi/ABI.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), string(code)) {
		t.Error("the C guest in ABI.md is not testdata/c/hello.c")
	}
}
