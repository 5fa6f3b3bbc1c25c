package inspect

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/signature"
	"github.com/posternhq/postern/gateway/module/source"
)

func TestGuestInC(t *testing.T) {
	wasm, err := os.ReadFile("../testdata/c/hello.wasm")
	if err != nil {
		t.Fatal(err)
	}
	packed, err := manifest.Pack(wasm, []byte("name: hello\nserves: [{group: a.io}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	private, _, id, err := signature.Generate()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, private, 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := signature.ReadPrivate(file)
	if err != nil {
		t.Fatal(err)
	}
	if packed, err = signature.Sign(packed, key); err != nil {
		t.Fatal(err)
	}
	r, err := Of(t.Context(), packed)
	if err != nil {
		t.Fatal(err)
	}
	if r.Kind != "synchronous" || r.Copies != "yes" || !slices.Equal(r.Signatures, []string{id}) || r.Size.File != len(packed) || r.Size.Code == 0 ||
		r.Size.Custom == 0 || r.Memory.Start < page || r.Memory.Most < r.Memory.Start || r.Compile.Seconds <= 0 || r.Compile.MachineCode <= int64(r.Size.Code) {
		t.Errorf("%+v", r)
	}
	if want := (Function{"postern/v1", "request_field", "(i32 i32 i32 i32) -> (i32)"}); !slices.Contains(r.Imports, want) || len(r.Imports) != 3 {
		t.Errorf("imports %+v", r.Imports)
	}
	if want := (Function{"", "postern_handle", "(i32) -> ()"}); !slices.Contains(r.Exports, want) {
		t.Errorf("exports %+v", r.Exports)
	}
}

func TestGuestInGo(t *testing.T) {
	wasm, err := source.Build(t.Context(), "../../../wasm-modules/hello")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Of(t.Context(), wasm)
	if err != nil {
		t.Fatal(err)
	}
	if r.Kind != "asynchronous" || r.Copies != "yes" || len(r.Signatures) != 0 || r.Manifest.Name != "hello" || r.Size.Data == 0 {
		t.Errorf("%+v", r)
	}
}

func TestRefusals(t *testing.T) {
	packed, err := manifest.Pack([]byte("\x00asm\x01\x00\x00\x00\x03\x02\x01\x00"), []byte("name: hello\nserves: [{group: a.io}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, wasm := range map[string][]byte{"rubbish": []byte("rubbish"), "no manifest": []byte("\x00asm\x01\x00\x00\x00"), "a function without code": packed} {
		if r, err := Of(t.Context(), wasm); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
