package httpwasm

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/posternhq/postern/gateway/module/signature"
)

// TestGuestInGo has a guest that Go's own compiler makes serve many requests at once.
func TestGuestInGo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "guest.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-o", file, "./testdata/guest")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot compile the guest: %v\n%s", err, out)
	}
	f := makeFilter(t, file, "", options{"poolSize": 4})
	url := serve(t, f, proxy(t, echo))
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			for range 10 {
				if got := ask(t, "GET", url+"/hello/you", ""); got.code != 200 || got.body != "hello, you" {
					t.Errorf("%d %q", got.code, got.body)
				}
				if got := ask(t, "GET", url+"/other", ""); got.header.Get("X-Length") != "xxxxxx" {
					t.Errorf("%d %q", got.code, got.header.Get("X-Length"))
				}
			}
		})
	}
	all.Wait()
	if n := f.current.Load().program.Stats().Instances.Load(); n < 1 || n > 4 {
		t.Errorf("%d instances, want 1 to 4", n)
	}
}

// TestRefused has files that are no guests.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const head = "\x00asm\x01\x00\x00\x00"
	engine := newEngine(t)
	for _, c := range []struct {
		name, file, config string
		more               options
	}{
		{name: "no file", file: filepath.Join(dir, "none")},
		{name: "no file named"},
		{name: "no WebAssembly", file: write("text", "hello")},
		{name: "no memory", file: write("empty", head)},
		{name: "nothing exported", file: write("memory", head+"\x05\x03\x01\x00\x01\x07\x0a\x01\x06memory\x02\x00")},
		{name: "traps while it starts", file: script, config: "start trap"},
		{name: "asks for the request while it starts", file: script, config: "start method"},
		{name: "does not come to an end while it starts", file: script, config: "start spin", more: options{"limits": map[string]any{"startCPU": "20ms"}}},
		{name: "needs more memory than it may have", file: script, more: options{"limits": map[string]any{"memory": "64KiB"}}},
		{name: "another digest", file: script, more: options{"digest": "0000000000000000000000000000000000000000000000000000000000000000"}},
		{name: "a digest that is none", file: script, more: options{"digest": "x"}},
		{name: "no instance", file: script, more: options{"poolSize": 0}},
		{name: "unknown setting", file: script, more: options{"pool": 1}},
	} {
		made, err := open(settingsOf(t, c.file, c.config, c.more), environment(engine, t.Output()))
		if err == nil {
			t.Errorf("%s: accepted", c.name)
			_ = made.Close()
		}
	}
	if err := check(settingsOf(t, script, "", nil), environment(nil, t.Output())); err != nil {
		t.Errorf("check refuses a guest: %v", err)
	}
	if err := check(settingsOf(t, filepath.Join(dir, "text"), "", nil), environment(nil, t.Output())); err == nil {
		t.Error("check accepts a text")
	}
}

// TestSigned has a guest that must be signed, by a key and by another's.
func TestSigned(t *testing.T) {
	dir := t.TempDir()
	wasm, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	var keys [2]string
	signed := filepath.Join(dir, "signed.wasm")
	for i := range keys {
		private, public, _, err := signature.Generate()
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = filepath.Join(dir, strconv.Itoa(i)+".pub")
		secret := filepath.Join(dir, strconv.Itoa(i)+".key")
		if err := errors.Join(os.WriteFile(keys[i], public, 0o600), os.WriteFile(secret, private, 0o600)); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			continue // signed by the first one alone
		}
		key, err := signature.ReadPrivate(secret)
		if err != nil {
			t.Fatal(err)
		}
		with, err := signature.Sign(wasm, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(signed, with, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	engine := newEngine(t)
	for _, c := range []struct {
		file string
		keys []string
		ok   bool
	}{
		{signed, keys[:1], true},
		{signed, nil, true},
		{signed, keys[1:], false},
		{signed, keys[:], false},
		{script, keys[:1], false},
	} {
		made, err := open(settingsOf(t, c.file, "", options{"requireSignedBy": c.keys}), environment(engine, t.Output()))
		if (err == nil) != c.ok {
			t.Errorf("%s by %v: %v", filepath.Base(c.file), c.keys, err)
		}
		if err == nil {
			_ = made.Close()
		}
		all, err := signature.ReadSigners(c.keys) // the same, asked of every guest
		if err != nil {
			t.Fatal(err)
		}
		env := environment(engine, t.Output())
		env.Trust = func(wasm []byte) error { return signature.Require(wasm, all) }
		made, err = open(settingsOf(t, c.file, "", nil), env)
		if (err == nil) != c.ok {
			t.Errorf("%s, trusted by %v: %v", filepath.Base(c.file), c.keys, err)
		}
		if err == nil {
			_ = made.Close()
		}
	}
}
