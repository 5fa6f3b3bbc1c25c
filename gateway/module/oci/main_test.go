package oci

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wasm is a module of n bytes: a header and a custom section without a meaning.
func wasm(fill byte, n int) []byte {
	return []byte("\x00asm\x01\x00\x00\x00" + strings.Repeat(string(rune(fill)), n-8))
}

// served is a registry on a loopback port.
type served struct {
	*httptest.Server
	host  string
	store http.Handler
	// before sees each request first; true when it has answered.
	before func(http.ResponseWriter, *http.Request) bool
}

func serve(t *testing.T) *served {
	t.Helper()
	s := &served{store: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	s.Server = httptest.NewServer(s)
	s.host = strings.TrimPrefix(s.URL, "http://")
	t.Cleanup(s.Close)
	return s
}

func (s *served) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.before == nil || !s.before(w, r) {
		s.store.ServeHTTP(w, r)
	}
}

// at is a reference to the registry's repository acme/hello.
func (s *served) at(t *testing.T, version string) Reference {
	return reference(t, "oci://"+s.host+"/acme/hello"+version)
}

func reference(t *testing.T, text string) Reference {
	t.Helper()
	ref, err := ParseReference(text)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// mustPush pushes a module and returns its manifest's digest.
func mustPush(t *testing.T, ref Reference, module []byte) string {
	t.Helper()
	a, err := Push(t.Context(), ref, module, alone(t))
	if err != nil {
		t.Fatal(err)
	}
	return a.Digest
}

// alone are options that ask no docker configuration of this machine.
func alone(t *testing.T) Options {
	return Options{DockerConfig: t.TempDir() + "/config.json"}
}
