package source_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/replay"
	"github.com/posternhq/postern/gateway/module/source"
	"github.com/posternhq/postern/gateway/module/trial"
	"github.com/posternhq/postern/hostabi/assemblyscript"
	"github.com/posternhq/postern/hostabi/c"
	"github.com/posternhq/postern/hostabi/rust"
)

// TestSDKs builds a guest in each language that uses all of its SDK, and asks all the same: whatever the language, the
// answers are alike. It also has the loader compare the signature of every host function that an SDK declares.
func TestSDKs(t *testing.T) {
	t.Setenv("POSTERN_TOOLCHAIN", filepath.Join("..", "..", "..", ".postern", "toolchain", "bin"))
	requests, err := replay.Load("testdata/sdk/requests.http")
	if err != nil {
		t.Fatal(err)
	}
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s", r.Method, r.RequestURI)
	}))
	defer echo.Close()
	for language, sdk := range map[source.Language]map[string][]byte{
		source.C: {"postern.h": c.Header}, source.Rust: {"postern.rs": rust.Source}, source.AssemblyScript: {"postern.ts": assemblyscript.Source},
	} {
		t.Run(string(language), func(t *testing.T) {
			wasm, err := source.Build(t.Context(), guest(t, language, sdk))
			if err != nil {
				t.Fatalf("%v\n(`make toolchain` fetches the compilers)", err)
			}
			g, err := trial.New(t.Context(), trial.Options{
				User: exchange.User{Name: "anonymous"}, Backends: trial.Backends{HTTP: map[string]string{"echo": echo.URL}}, GrantAll: true,
				Settings: []byte(`{"language":"de"}`), Log: zerolog.New(zerolog.NewTestWriter(t)),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = g.Close() }()
			if _, err := g.Load(t.Context(), wasm); err != nil {
				t.Fatal(err)
			}
			ask(t, g.URL(), requests)
		})
	}
}

// guest is a folder with a language's guest, its SDK and the manifest of all.
func guest(t *testing.T, language source.Language, sdk map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "sdk", string(language)))); err != nil {
		t.Fatal(err)
	}
	about, err := os.ReadFile("testdata/sdk/module.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"module.yaml": about}
	for name, text := range sdk {
		files[name] = text
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// ask sends everything twice: the second time an instance has answered before.
func ask(t *testing.T, url string, requests []replay.Request) {
	client := replay.Client()
	defer client.CloseIdleConnections()
	for range 2 {
		for _, r := range requests {
			a, err := r.Send(t.Context(), client, url)
			if err != nil {
				t.Fatal(err)
			}
			for _, wrong := range r.Expect.Check(a) {
				t.Errorf("%s: %s", r.Name, wrong)
			}
		}
	}
}

func TestDetect(t *testing.T) {
	for name, want := range map[string]source.Language{
		"main.go": source.Go, "x.c": source.C, "lib.rs": source.Rust, "Cargo.toml": source.Rust, "index.ts": source.AssemblyScript, "x.py": "",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := source.Detect(dir); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
}
