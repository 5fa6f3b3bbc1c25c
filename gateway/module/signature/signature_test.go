package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// body is a module without signatures: a header and a custom section "x".
const body = "\x00asm\x01\x00\x00\x00" + "\x00\x05\x01xabc"

// pair is a private key and who signs with it.
type pair struct {
	crypto.Signer
	who Signer
}

func newPair(t testing.TB, name string, key crypto.Signer) pair {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	who, err := ParseSigner(name, pem.EncodeToMemory(&pem.Block{Type: publicType, Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return pair{key, who}
}

func newEd25519(t testing.TB, name string) pair {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return newPair(t, name, key)
}

func newECDSA(t testing.TB, name string) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return newPair(t, name, key)
}

func sign(t testing.TB, wasm []byte, keys ...pair) []byte {
	t.Helper()
	for _, k := range keys {
		var err error
		if wasm, err = Sign(wasm, k.Signer); err != nil {
			t.Fatal(err)
		}
	}
	return wasm
}

func TestSignAndVerify(t *testing.T) {
	release, security, stranger := newEd25519(t, "release"), newECDSA(t, "security"), newEd25519(t, "stranger")
	both := []Signer{release.who, security.who}
	for name, c := range map[string]struct {
		by   []pair
		want string // who is said to have signed
		lack string // in the error of Require; empty: none
	}{
		"nobody":      {nil, "", `is not signed by "release"` + "\n" + `is not signed by "security"` + "\nhas no signature"},
		"one":         {[]pair{release}, "release", `is not signed by "security"`},
		"the other":   {[]pair{security}, "security", `is not signed by "release"`},
		"both":        {[]pair{release, security}, "release security", ""},
		"in any turn": {[]pair{security, stranger, release}, "release security", ""},
		"a stranger":  {[]pair{stranger}, "", "is signed by keys [\"" + stranger.who.KeyIDs()[0][:16] + `"]`},
	} {
		wasm := sign(t, []byte(body), c.by...)
		names, err := Verify(wasm, both)
		if err != nil || strings.Join(names, " ") != c.want {
			t.Errorf("%s: %q, %v, want %s", name, names, err, c.want)
		}
		if err := Require(wasm, both); (err == nil) != (c.lack == "") || err != nil && !strings.Contains(err.Error(), c.lack) {
			t.Errorf("%s: %v, want %q", name, err, c.lack)
		}
		if err := Require(wasm, nil); err != nil {
			t.Errorf("%s: nobody is required: %v", name, err)
		}
		if ids, err := KeyIDs(wasm); err != nil || len(ids) != len(c.by) || string(Unsigned(wasm)) != body {
			t.Errorf("%s: keys %q, %v, unsigned %q", name, ids, err, Unsigned(wasm))
		}
	}
}

func TestEitherKeyOfASigner(t *testing.T) {
	older, newer := newEd25519(t, "release"), newECDSA(t, "release")
	who := Signer{Name: "release", keys: slices.Concat(older.who.keys, newer.who.keys)}
	for _, key := range []pair{older, newer} {
		if names, err := Verify(sign(t, []byte(body), key), []Signer{who}); err != nil || len(names) != 1 {
			t.Errorf("%q, %v", names, err)
		}
	}
}

// TestEveryByteIsCovered flips each bit of a signed module: nothing that was changed passes for signed by both.
func TestEveryByteIsCovered(t *testing.T) {
	release, security := newEd25519(t, "release"), newECDSA(t, "security")
	wasm := sign(t, []byte(body), release, security)
	for i := range wasm {
		for bit := range 8 {
			bad := bytes.Clone(wasm)
			bad[i] ^= 1 << bit
			if Require(bad, []Signer{release.who, security.who}) == nil {
				t.Errorf("bit %d of byte %d does not count", bit, i)
			}
		}
	}
	for n := range wasm {
		if Require(wasm[:n], []Signer{release.who, security.who}) == nil {
			t.Errorf("the first %d of %d bytes pass", n, len(wasm))
		}
	}
}

func TestMalformed(t *testing.T) {
	release := newEd25519(t, "release")
	wasm := sign(t, []byte(body), release)
	signed := string(wasm[len(body):])
	custom := func(content string) string {
		content = "\x11postern.signature" + content
		return string(binary.AppendUvarint([]byte{0}, uint64(len(content)))) + content
	}
	head := func(version, algorithm byte) string {
		return string([]byte{version, algorithm}) + strings.Repeat("k", 32)
	}
	for name, c := range map[string]struct{ wasm, want string }{
		"no module":             {"\x7fELF", "not a WebAssembly"},
		"a component":           {"\x00asm\x0d\x00\x01\x00", "not a WebAssembly"},
		"something follows":     {body + signed + "\x00\x02\x01x", "follows a signature"},
		"a manifest follows":    {body + signed + "\x00\x0f\x0epostern.module", "follows a signature"},
		"code follows":          {body + signed + "\x0a\x01\x00", "follows a signature"},
		"a stray byte follows":  {body + signed + "\x00", "cut off"},
		"twice":                 {body + signed + signed, "second one by key"},
		"empty":                 {body + custom(""), "has 0 bytes"},
		"short":                 {body + custom(head(1, 1)[:33]), "has 33 bytes"},
		"long":                  {body + custom(head(1, 1)+strings.Repeat("s", 73)), "has 107 bytes"},
		"version":               {body + custom(head(2, 1)), "version 2"},
		"algorithm":             {body + custom(head(1, 3)), "algorithm 3"},
		"cut off":               {(body + signed)[:len(wasm)-1], "cut off"},
		"a size without an end": {body + "\x00\xff\xff\xff\xff\xff\xff", "cut off"},
		"a long size":           {body + "\x00" + string([]byte{signed[1] | 0x80, 0}) + signed[2:], "shortest form"},
		"too many":              {body + many(17, custom), "one more than 16"},
	} {
		_, err := Verify([]byte(c.wasm), []Signer{release.who})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, c.want)
		}
		if _, err := Sign([]byte(c.wasm), newEd25519(t, "x").Signer); err == nil {
			t.Errorf("%s: was signed", name)
		}
		if string(Unsigned([]byte(c.wasm))) != c.wasm {
			t.Errorf("%s: lost something", name)
		}
	}
}

// many are n sections by different keys.
func many(n int, custom func(string) string) string {
	var all strings.Builder
	for i := range n {
		all.WriteString(custom("\x01\x01" + strings.Repeat(string(rune('a'+i)), 32)))
	}
	return all.String()
}

func TestSignRefuses(t *testing.T) {
	release := newEd25519(t, "release")
	if _, err := Sign(sign(t, []byte(body), release), release.Signer); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("signing twice: %v", err)
	}
	full := []byte(body + many(16, func(content string) string {
		content = "\x11postern.signature" + content
		return string(binary.AppendUvarint([]byte{0}, uint64(len(content)))) + content
	}))
	if _, err := Sign(full, release.Signer); err == nil || !strings.Contains(err.Error(), "16 signatures") {
		t.Errorf("the 17th signature: %v", err)
	}
	wide, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []crypto.Signer{wide, old} {
		if _, err := Sign([]byte(body), key); err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("%T: %v", key, err)
		}
	}
}

func TestKeyFiles(t *testing.T) {
	private, public, id, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := ReadPrivate(write("release.key", private))
	if err != nil {
		t.Fatal(err)
	}
	who, err := ReadSigners([]string{write("release.pub", public)})
	if err != nil || who[0].Name != "release" || who[0].KeyIDs()[0] != id {
		t.Fatalf("%+v, %v", who, err)
	}
	wasm, err := Sign([]byte(body), key)
	if err == nil {
		err = Require(wasm, who)
	}
	if err != nil {
		t.Error(err)
	}
	sec1 := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("x")})
	sealed := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})
	for name, content := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "public": public, "sec1": sec1, "sealed": sealed,
		"broken": pem.EncodeToMemory(&pem.Block{Type: privateType, Bytes: []byte("x")}), "long": bytes.Repeat([]byte("x"), maxKeys+1),
	} {
		if _, err := ReadPrivate(write(name, content)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s as a private key: %v", name, err)
		}
	}
	for name, content := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "private": private, "one good, one not": append(bytes.Clone(public), sec1...),
	} {
		if _, err := ReadSigner(write(name, content)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s as public keys: %v", name, err)
		}
	}
	if _, err := ReadSigners([]string{write("a.pub", public), write("a.pem", public)}); err == nil || !strings.Contains(err.Error(), `both called "a"`) {
		t.Errorf("two of one name: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	release, security := newEd25519(f, "release"), newECDSA(f, "security")
	signed := sign(f, []byte(body), release, security)
	f.Add(signed)
	f.Add([]byte(body))
	f.Add(signed[:len(signed)-80])
	f.Add(append(bytes.Clone(signed), 0, 2, 1, 'x'))
	f.Fuzz(func(t *testing.T, wasm []byte) {
		names, err := Verify(wasm, []Signer{release.who, security.who})
		if len(names) > 0 && (err != nil || string(Unsigned(wasm)) != body) {
			t.Errorf("%q passes for signed by %q (%v)", wasm, names, err)
		}
		if again, err := Sign(wasm, newEd25519(t, "x").Signer); err == nil && !bytes.Equal(Unsigned(again), Unsigned(wasm)) {
			t.Errorf("signing changed %q", wasm)
		}
	})
}
