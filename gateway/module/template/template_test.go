package template

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/module/replay"
	"github.com/posternhq/postern/gateway/module/source"
	"github.com/posternhq/postern/gateway/module/trial"
)

// checkout is this repository; its compilers are what `make toolchain` fetches.
func checkout(t *testing.T) string {
	t.Helper()
	root := FindCheckout(".")
	if root == "" {
		t.Fatal("the test is not in a checkout")
	}
	t.Setenv("POSTERN_TOOLCHAIN", filepath.Join(root, ".postern", "toolchain", "bin"))
	return root
}

// TestTemplatesPassTheirTests: a new module of each language is built, loaded, and answers as its own tests expect.
func TestTemplatesPassTheirTests(t *testing.T) {
	root := checkout(t)
	for _, language := range source.Languages {
		t.Run(string(language), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "greeter [1]") // a name that patterns would not match
			files, err := New(Options{Name: "greeter", Language: language, Dir: dir, Checkout: root})
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range files {
				if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || bytes.Contains(text, []byte("[[")) && name != "package-lock.json" && !strings.HasPrefix(name, "postern.") {
					t.Errorf("%s: %v, %s", name, err, text)
				}
			}
			if got, err := source.Detect(dir); got != language {
				t.Errorf("taken for %q, %v", got, err)
			}
			wasm, err := source.Build(t.Context(), dir)
			if err != nil {
				t.Fatalf("%v\n(`make toolchain` fetches the compilers)", err)
			}
			ask(t, wasm, dir)
		})
	}
}

// ask replays a new module's own requests.
func ask(t *testing.T, wasm []byte, dir string) {
	g, err := trial.New(t.Context(), trial.Options{Log: zerolog.New(zerolog.NewTestWriter(t))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.Close() }()
	if _, err := g.Load(t.Context(), wasm); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "tests", "greetings.http"))
	if err != nil {
		t.Fatal(err)
	}
	requests, err := replay.Parse(text)
	if err != nil || len(requests) < 5 {
		t.Fatalf("got %d requests, %v", len(requests), err)
	}
	client := replay.Client()
	defer client.CloseIdleConnections()
	for _, r := range requests {
		a, err := r.Send(t.Context(), client, g.URL())
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range r.Expect.Check(a) {
			t.Errorf("%s: %s", r.Name, wrong)
		}
	}
}

// TestGoModuleOutside: `go vet`, which compiles the test, too, is content with a new module outside of the checkout, and
// the module is no longer than it may be.
func TestGoModuleOutside(t *testing.T) {
	root := checkout(t)
	dir := filepath.Join(t.TempDir(), "m")
	if _, err := New(Options{Name: "m", Language: source.Go, Dir: dir, Checkout: root}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "vet", ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=-mod=readonly", "GOPROXY=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "main.go"))
	if lines := bytes.Count(text, []byte("\n")); err != nil || lines > 40 {
		t.Errorf("main.go has %d lines (%v), more than 40", lines, err)
	}
}

func TestGoModuleOfARelease(t *testing.T) {
	for version, want := range map[string]string{"v1.2.3": "require github.com/posternhq/postern v1.2.3\n", "(devel)": "", "v0.0.0-2026": ""} {
		all := map[string][]byte{}
		err := Options{Name: "m", Version: version}.released(all)
		if (err == nil) != (want != "") || !strings.Contains(string(all["go.mod"]), want) {
			t.Errorf("%s: got %q, %v", version, all["go.mod"], err)
		}
	}
}

func TestRefuses(t *testing.T) {
	root := checkout(t)
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]Options{
		"not empty":           {Name: "m", Language: source.C, Dir: full},
		"is not [a-z0-9-]":    {Name: "M", Language: source.C, Dir: filepath.Join(full, "m")},
		"not a DNS subdomain": {Name: "m", Group: "a b", Language: source.C, Dir: filepath.Join(full, "m")},
		"checkout's go.mod":   {Name: "m", Language: source.Go, Dir: filepath.Join(full, "m"), Checkout: full},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", o, err, want)
		}
	}
	// In the checkout itself a Go module is a package of it.
	dir, err := os.MkdirTemp(filepath.Join(root, ".postern"), "template-*") // where `go list ./...` does not look
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	files, err := New(Options{Name: "m", Language: source.Go, Dir: dir})
	for _, name := range files {
		if name == "go.mod" || name == "go.sum" {
			t.Errorf("%s in a folder of the checkout", name)
		}
	}
	if err != nil {
		t.Error(err)
	}
}
