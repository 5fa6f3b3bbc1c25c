package build

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// archive is a package of npm's registry with these files.
func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestUnpackPublished: only what has the checksum, and nothing outside of the folder.
func TestUnpackPublished(t *testing.T) {
	good, bad := archive(t, map[string]string{"package/bin/node": "node"}), archive(t, map[string]string{"package/../../evil": "x"})
	served := good
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(served) }))
	defer server.Close()
	sum := func(b []byte) string {
		s := sha512.Sum512(b)
		return base64.StdEncoding.EncodeToString(s[:])
	}
	dir := filepath.Join(t.TempDir(), "node")
	if err := (published{server.URL, sum(good)}).unpack(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "bin", "node")); err != nil || string(text) != "node" || !executable(filepath.Join(dir, "bin", "node")) {
		t.Errorf("%q, %v", text, err)
	}
	served = bad
	for name, p := range map[string]published{
		"another checksum": {server.URL, sum(good)}, "a path that leaves": {server.URL, sum(bad)}, "nobody there": {"http://127.0.0.1:1/", sum(good)},
	} {
		if err := p.unpack(t.Context(), dir); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "..", "evil")); err == nil {
		t.Error("a file was put outside of the folder")
	}
}
