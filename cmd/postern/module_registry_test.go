package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/oci"
)

// desk is an empty working folder with a home of its own, so that no test sees this machine's credentials and cache.
func desk(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("HOME", dir)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	t.Setenv("DOCKER_CONFIG", filepath.Join(dir, "docker"))
}

// saveModule writes a module called greeter.
func saveModule(t *testing.T, file, version string) []byte {
	t.Helper()
	wasm, err := manifest.Pack([]byte(imports), []byte("{name: greeter, version: "+version+", serves: [{group: greeter.example.io}]}"))
	if err == nil {
		err = os.WriteFile(file, wasm, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// postern runs a command that must not fail.
func postern(t *testing.T, args ...string) string {
	t.Helper()
	text, err := execute(append([]string{"module"}, args...)...)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return text
}

// fails runs a command that must end with a code and an error.
func fails(t *testing.T, code int, want string, args ...string) {
	t.Helper()
	_, err := execute(append([]string{"module"}, args...)...)
	if exitCode(err) != code || !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("%q: got %v (code %d), want %q and code %d", args, err, exitCode(err), want, code)
	}
}

func TestModulePushAndPull(t *testing.T) {
	desk(t)
	reg := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer reg.Close()
	for _, ref := range []string{"oci://" + strings.TrimPrefix(reg.URL, "http://") + "/acme/hello:1", "oci-layout://layout:1"} {
		for _, leftover := range []string{"modules", "one"} {
			if err := os.RemoveAll(leftover); err != nil {
				t.Fatal(err)
			}
		}
		first := saveModule(t, "greeter.wasm", "1.0.0")
		var p pushed
		text := postern(t, "push", "greeter.wasm", ref, "-o", "json")
		if err := json.Unmarshal([]byte(text), &p); err != nil || p.Reference != ref+"@"+p.Digest || p.Size != len(first) {
			t.Fatalf("%s, %v", text, err)
		}
		text = postern(t, "pull", ref)
		if have, err := os.ReadFile("modules/greeter.wasm"); err != nil || !bytes.Equal(have, first) || !strings.Contains(text, p.Digest) {
			t.Errorf("got %q, %v: %s", have, err, text)
		}
		saveModule(t, "greeter.wasm", "2.0.0")
		moved := strings.TrimSpace(postern(t, "push", "greeter.wasm", ref))
		postern(t, "pull")
		if about := version(t, "modules/greeter.wasm"); about != "1.0.0" {
			t.Errorf("the tag has moved, and %s was pulled without --update", about)
		}
		var all []pulled
		text = postern(t, "pull", "--update", "--json")
		if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != 1 || all[0].Was != p.Digest || ref+"@"+all[0].Digest != moved {
			t.Errorf("%s, %v", text, err)
		}
		if about := version(t, "modules/greeter.wasm"); about != "2.0.0" {
			t.Errorf("--update pulled %s", about)
		}
		postern(t, "pull", p.Reference, "-o", "one/greeter.wasm")
		if about := version(t, "one/greeter.wasm"); about != "1.0.0" {
			t.Errorf("by digest: %s", about)
		}
		if l, err := oci.ReadLock("one/modules.lock"); err != nil || len(l.Modules) != 1 {
			t.Errorf("lock file %+v, %v", l, err)
		}
	}
	reg.Close()
	if err := os.RemoveAll("modules/greeter.wasm"); err != nil {
		t.Fatal(err)
	}
	postern(t, "pull", "--dir", "one") // from the cache
}

func version(t *testing.T, file string) string {
	t.Helper()
	wasm, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	about, err := manifest.Of(wasm)
	if err != nil {
		t.Fatal(err)
	}
	return about.Version
}

func TestModulePullWritesAllOrNothing(t *testing.T) {
	desk(t)
	saveModule(t, "greeter.wasm", "1.0.0")
	postern(t, "push", "greeter.wasm", "oci-layout://layout:1")
	saveModule(t, "greeter.wasm", "2.0.0")
	postern(t, "push", "greeter.wasm", "oci-layout://layout:2")
	postern(t, "keygen", "release")
	fails(t, exitFailure, "not found", "pull", "oci-layout://layout:1", "oci-layout://layout:3")
	fails(t, exitFailure, "are both", "pull", "oci-layout://layout:1", "oci-layout://layout:2")
	fails(t, exitFailure, `is not signed by "release"`, "pull", "oci-layout://layout:1", "--key", "release.pub")
	if _, err := os.Stat("modules"); err == nil {
		t.Error("something was written")
	}
	postern(t, "pull", "oci-layout://layout:1", "oci-layout://layout:2", "--lock-only", "--lock", "only/modules.lock", "--dir", "only")
	if entries, err := os.ReadDir("only"); err != nil || len(entries) != 1 {
		t.Errorf("--lock-only wrote %v, %v", entries, err)
	}
	fails(t, exitUsage, "nothing to pull", "pull")
	fails(t, exitUsage, "neither a tag nor a digest", "pull", "oci://ghcr.io/acme/hello")
	fails(t, exitUsage, "--output takes one", "pull", "oci-layout://layout:1", "oci-layout://layout:2", "-o", "x.wasm")
	fails(t, exitUsage, "--output takes one", "pull", "oci-layout://layout:1", "-o", "x.wasm", "--dir", "y")
	fails(t, exitUsage, "--timeout", "pull", "oci-layout://layout:1", "--timeout", "0s")
	fails(t, exitUsage, "want text or json", "push", "greeter.wasm", "oci-layout://layout:1", "-o", "yaml")
	fails(t, exitUsage, "want a user name and a password", "push", "greeter.wasm", "oci-layout://layout:1", "--username", "x")
	fails(t, exitFailure, "not a WebAssembly", "push", "release.pub", "oci-layout://layout:1")
	fails(t, exitFailure, "cannot read the module", "push", "nothing.wasm", "oci-layout://layout:1")
}

func TestModuleRegistryPassword(t *testing.T) {
	desk(t)
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	reg := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "robot" || password != "se cret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		store.ServeHTTP(w, r)
	}))
	defer reg.Close()
	saveModule(t, "greeter.wasm", "1.0.0")
	ref := "oci://" + strings.TrimPrefix(reg.URL, "http://") + "/acme/hello:"
	fails(t, exitFailure, "docker login", "push", "greeter.wasm", ref+"1")
	for i, input := range []string{"se cret", "se cret\n", "se cret\r\n"} {
		command := newCommand()
		command.SetIn(strings.NewReader(input))
		command.SetOut(io.Discard)
		command.SetArgs([]string{"module", "push", "greeter.wasm", fmt.Sprint(ref, i), "--username", "robot", "--password-stdin"})
		if err := command.Execute(); err != nil {
			t.Errorf("%q: %v", input, err)
		}
	}
	t.Setenv(envUsername, "robot")
	t.Setenv(envPassword, "se cret")
	postern(t, "pull", ref+"0", ref+"0")
}

func TestModuleSignAndVerify(t *testing.T) {
	desk(t)
	saveModule(t, "greeter.wasm", "1.0.0")
	var made struct{ Private, Public, ID string }
	if text := postern(t, "keygen", "release", "-o", "json"); json.Unmarshal([]byte(text), &made) != nil || len(made.ID) != 64 {
		t.Errorf("got %s", text)
	}
	if info, err := os.Stat(made.Private); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the private key: %v, %v", info.Mode(), err)
	}
	postern(t, "keygen", "other")
	fails(t, exitFailure, "exists", "keygen", "release")
	fails(t, exitFailure, "has no signature", "verify", "greeter.wasm", "--key", "release.pub")
	postern(t, "sign", "greeter.wasm", "--key", "release.key", "-o", "signed.wasm")
	if text := postern(t, "verify", "signed.wasm", "--key", "release.pub"); text != "signed by release\n" {
		t.Errorf("got %q", text)
	}
	if version(t, "signed.wasm") != "1.0.0" {
		t.Error("the manifest has changed")
	}
	fails(t, exitFailure, `is not signed by "other"`, "verify", "signed.wasm", "--key", "release.pub,other.pub")
	text, err := execute("module", "verify", "signed.wasm", "--key", "other.pub", "-o", "json")
	var v verified
	if json.Unmarshal([]byte(text), &v) != nil || v.Valid || len(v.Keys) != 1 || v.Keys[0] != made.ID || exitCode(err) != exitFailure {
		t.Errorf("got %s, %v", text, err)
	}
	fails(t, exitFailure, "already", "sign", "signed.wasm", "--key", "release.key")
	fails(t, exitFailure, `want "PRIVATE KEY"`, "sign", "greeter.wasm", "--key", "release.pub")
	fails(t, exitFailure, `want "PUBLIC KEY"`, "verify", "signed.wasm", "--key", "release.key")
	fails(t, exitUsage, "--key is not set", "sign", "greeter.wasm")
	fails(t, exitUsage, "--key is not set", "verify", "greeter.wasm")
	if err := os.WriteFile("module.yaml", []byte("{name: greeter, version: 3.0.0, serves: [{group: greeter.example.io}]}"), 0o644); err != nil {
		t.Fatal(err)
	}
	postern(t, "pack", "signed.wasm", "module.yaml")
	fails(t, exitFailure, "has no signature", "verify", "signed.wasm", "--key", "release.pub")
	postern(t, "sign", "signed.wasm", "--key", "release.key") // in place
	postern(t, "verify", "signed.wasm", "--key", "release.pub")
}

// TestModuleSignedTravels signs, pushes and pulls: the signature comes along, and the lock file names the key.
func TestModuleSignedTravels(t *testing.T) {
	desk(t)
	saveModule(t, "greeter.wasm", "1.0.0")
	postern(t, "keygen", "release")
	postern(t, "sign", "greeter.wasm", "--key", "release.key")
	postern(t, "push", "greeter.wasm", "oci-layout://layout:1")
	postern(t, "pull", "oci-layout://layout:1", "--key", "release.pub")
	postern(t, "verify", "modules/greeter.wasm", "--key", "release.pub")
	if l, err := oci.ReadLock("modules/modules.lock"); err != nil || len(l.Modules[0].Signers) != 1 {
		t.Errorf("lock file %+v, %v", l, err)
	}
}

func TestBar(t *testing.T) {
	var out bytes.Buffer
	if progressBar(&out, "x") != nil {
		t.Error("a bar is drawn where there is no terminal")
	}
	draw := drawBar(&out, "oci://ghcr.io/acme/hello:1.2.0")
	for _, done := range []int64{0, 1, 1 << 19, 1 << 20} {
		draw(done, 1<<20)
	}
	want := "\roci://ghcr.io/acme/hello [" + strings.Repeat(" ", 30) + "]   0 % of 1.0 MiB" +
		"\roci://ghcr.io/acme/hello [" + strings.Repeat("=", 15) + strings.Repeat(" ", 15) + "]  50 % of 1.0 MiB" +
		"\roci://ghcr.io/acme/hello [" + strings.Repeat("=", 30) + "] 100 % of 1.0 MiB\n"
	if out.String() != want {
		t.Errorf("got\n%q, want\n%q", out.String(), want)
	}
}
