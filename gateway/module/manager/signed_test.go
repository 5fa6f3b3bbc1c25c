package manager

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/signature"
)

// signer makes a key: a function that signs with it, and who has then signed.
func signer(t *testing.T, name string) (sign func(wasm []byte) []byte, who signature.Signer) {
	t.Helper()
	private, public, _, err := signature.Generate()
	if err != nil {
		t.Fatal(err)
	}
	if who, err = signature.ParseSigner(name, public); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".key")
	if err := os.WriteFile(path, private, 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := signature.ReadPrivate(path)
	if err != nil {
		t.Fatal(err)
	}
	return func(wasm []byte) []byte {
		signed, err := signature.Sign(wasm, key)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}, who
}

// TestOnlySignedModulesAreLoaded swaps to files that are not signed as they must be: what served before serves on.
func TestOnlySignedModulesAreLoaded(t *testing.T) {
	sign, release := signer(t, "release")
	_, security := signer(t, "security")
	other, _ := signer(t, "other")
	signedBy := func(who ...signature.Signer) func(string) module.Policy {
		return func(string) module.Policy { return module.Policy{Limits: module.DefaultLimits(), SignedBy: who} }
	}
	f := newFolder(t, signedBy(release))
	of := func(text string) []byte { return saying(t, text, serving("a", "test.postern.io/v1")) }
	refused := func(why string) {
		t.Helper()
		if st := f.Status(); len(st) != 1 || !strings.Contains(st[0].Error, why) {
			t.Errorf("status %+v, want an error with %q", st, why)
		}
	}
	f.put("a.wasm", of("unsigned"))
	f.look()
	f.want("test.postern.io/v1", "")
	refused(`module "a": is not signed by "release"` + "\nhas no signature")
	f.put("a.wasm", sign(of("one")))
	f.look()
	f.want("test.postern.io/v1", "one")
	refused("")
	for why, wasm := range map[string][]byte{
		"has no signature":                of("unsigned"),
		"is signed by keys":               other(of("by a stranger")),
		`signature of "release" does not`: patch(sign(of("two")), "two", "bad"),
		"follows a signature":             append(sign(of("two")), 0, 2, 1, 'x'),
	} {
		f.put("a.wasm", wasm)
		f.look()
		f.want("test.postern.io/v1", "one")
		refused(why)
	}
	f.put("a.wasm", sign(of("two")))
	f.look()
	f.want("test.postern.io/v1", "two")
	f.SetPolicy(signedBy(release, security)) // what was loaded under the old policy serves on, and it is said that it would not load
	f.look()
	f.want("test.postern.io/v1", "two")
	refused(`is not signed by "security"`)
}

// patch replaces the first place of a text by another of the same length.
func patch(wasm []byte, from, to string) []byte {
	return []byte(strings.Replace(string(wasm), from, to, 1))
}
