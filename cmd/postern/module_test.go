package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/module/inspect"
	"github.com/posternhq/postern/gateway/module/manifest"
)

func TestModulePack(t *testing.T) {
	dir := t.TempDir()
	wasm, about, out := filepath.Join(dir, "in.wasm"), filepath.Join(dir, "module.yaml"), filepath.Join(dir, "out.wasm")
	for path, content := range map[string]string{
		wasm:  "\x00asm\x01\x00\x00\x00",
		about: "{name: greeter, version: 1.0.0, serves: [{group: greeter.example.io, versions: [v1]}]}",
	} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pack := func(args ...string) error {
		command := newCommand()
		command.SetArgs(append([]string{"module", "pack"}, args...))
		return command.Execute()
	}
	if err := pack(wasm, about, "-o", out); err != nil {
		t.Fatal(err)
	}
	packed, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := manifest.Of(packed); err != nil || m.Name != "greeter" {
		t.Errorf("got %v (%v), want the manifest of greeter", m, err)
	}
	if err := pack(about, about, "-o", out); exitCode(err) != exitFailure {
		t.Errorf("packing into what is no module: got %v, want a failure", err)
	}
}

// imports is a module that imports postern/v1 now, () -> i64, and exports postern_handle, (i32) -> ().
const imports = "\x00asm\x01\x00\x00\x00" +
	"\x01\x09\x02\x60\x00\x01\x7e\x60\x01\x7f\x00" + // types
	"\x02\x12\x01\x0apostern/v1\x03now\x00\x00" + // imports
	"\x03\x02\x01\x01" + "\x07\x12\x01\x0epostern_handle\x00\x01" + "\x0a\x04\x01\x02\x00\x0b" // functions, exports, code

func TestModuleInspect(t *testing.T) {
	wasm, err := manifest.Pack([]byte(imports), []byte("{name: greeter, version: 1.0.0, serves: [{group: greeter.example.io}], "+
		"wants: {prometheus: true, http: [edge], kube: [{groups: [\"\"], resources: [pods], verbs: [get, list]}]}}"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "greeter.wasm")
	if err := os.WriteFile(file, wasm, 0o644); err != nil {
		t.Fatal(err)
	}
	text, err := execute("module", "inspect", file)
	for _, want := range []string{
		"name      greeter\n", "serves    greeter.example.io/\n", "wants     kube pods of core: get,list\n", "wants     prometheus\n", "wants     http edge\n",
		"imports   postern/v1 now () -> (i64)\n", "exports   postern_handle (i32) -> ()\n", "abi       1.0, synchronous\n", "compile   ",
	} {
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("got %q (%v), want %q in it", text, err, want)
		}
	}
	text, err = execute("module", "inspect", file, "-o", "json")
	var got inspect.Report
	if err != nil || json.Unmarshal([]byte(text), &got) != nil || got.Size.File != len(wasm) || len(got.Digest) != 64 || len(got.Imports) != 1 || got.Manifest.Name != "greeter" {
		t.Errorf("got %s (%v)", text, err)
	}
	for _, args := range [][]string{{file, "-o", "yaml"}, {}} {
		if _, err := execute(append([]string{"module", "inspect"}, args...)...); exitCode(err) != exitUsage {
			t.Errorf("%q: got %v, want wrong usage", args, err)
		}
	}
	if _, err := execute("module", "inspect", "module_test.go"); exitCode(err) != exitFailure {
		t.Errorf("got %v for what is no module, want a failure", err)
	}
}

func TestModuleList(t *testing.T) {
	answer, code := `[{"file":"a.wasm","name":"a","state":"serving","version":"1.0.0","serves":["a.io/v1"],"digest":"0123456789abcdef","Requests":7},{"file":"b.wasm","error":"not granted"}]`, 200
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/modules" {
			t.Errorf("asked for %s", r.URL)
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(answer))
	}))
	defer admin.Close()
	address := strings.TrimPrefix(admin.URL, "http://")
	text, err := execute("module", "list", "--admin", address)
	for _, want := range []string{"FILE ", "a.wasm  serving  a     1.0.0    a.io/v1  7 ", "0123456789ab ", "error: b.wasm: not granted\n"} {
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("got %q (%v), want %q in it", text, err, want)
		}
	}
	if text, err := execute("module", "list", "--admin", address, "-o", "json"); err != nil || text != answer {
		t.Errorf("got %q, %v", text, err)
	}
	for _, bad := range []string{admin.URL, "http://localhost", "localhost", "localhost:"} {
		if _, err := execute("module", "list", "--admin", bad); exitCode(err) != exitUsage || !strings.Contains(err.Error(), "want host:port") {
			t.Errorf("%q: got %v, want a word on --admin", bad, err)
		}
	}
	code = 500
	if _, err := execute("module", "list", "--admin", address); exitCode(err) != exitFailure {
		t.Errorf("got %v for a 500, want a failure", err)
	}
}

// execute runs the program with args; what it wrote.
func execute(args ...string) (string, error) {
	var out bytes.Buffer
	command := newCommand()
	command.SetOut(&out)
	command.SetArgs(args)
	err := command.ExecuteContext(context.Background())
	return out.String(), err
}
