package main

import (
	"os"
	"path/filepath"
	"testing"

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
