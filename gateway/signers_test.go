package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/module/signature"
)

// keyFile writes a new public key.
func keyFile(t *testing.T, name string) string {
	t.Helper()
	_, public, _, err := signature.Generate()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, public, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhoMustHaveSigned(t *testing.T) {
	release, own := keyFile(t, "release.pub"), keyFile(t, "own.pub")
	c := config.Default()
	c.Postern.Modules.RequireSignedBy = []string{release}
	c.Postern.Modules.PerModule = map[string]config.Module{"own": {RequireSignedBy: []string{own}}, "same": {}}
	s, err := readSigners(c)
	if err != nil {
		t.Fatal(err)
	}
	for module, want := range map[string]string{"own": "own", "same": "release", "any": "release"} {
		if by := policies(c, s)(module).SignedBy; len(by) != 1 || by[0].Name != want {
			t.Errorf("%s must be signed by %+v, want %s", module, by, want)
		}
	}
	for key, change := range map[string]func(*config.Modules){
		"modules.requireSignedBy": func(m *config.Modules) { m.RequireSignedBy = []string{"/does/not/exist"} },
		"modules.perModule.own.requireSignedBy": func(m *config.Modules) {
			m.PerModule["own"] = config.Module{RequireSignedBy: []string{"/does/not/exist"}}
		},
	} {
		change(&c.Postern.Modules)
		if _, err := readSigners(c); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: got %v", key, err)
		}
		c.Postern.Modules.RequireSignedBy = nil
	}
}

// TestKeysFollowTheConfiguration: keys are read again with it; one whose keys cannot be read changes nothing.
func TestKeysFollowTheConfiguration(t *testing.T) {
	c := newCluster(t)
	first := c.configuration(t)
	g := run(t, first).ready()
	if by := g.long.current.Load().signers.of("x"); len(by) != 0 {
		t.Errorf("must be signed by %v", by)
	}
	path := keyFile(t, "release.pub")
	second := changed(first, func(o *config.Config) { o.Postern.Modules.RequireSignedBy = []string{path} })
	id := func() string {
		t.Helper()
		if err := g.Reload(t.Context(), second); err != nil {
			t.Fatal(err)
		}
		return g.long.current.Load().signers.of("x")[0].KeyIDs()[0]
	}
	before := id()
	if err := os.Rename(keyFile(t, "new.pub"), path); err != nil {
		t.Fatal(err)
	}
	after := id()
	if before == after {
		t.Error("the old key still counts")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := g.Reload(t.Context(), second); err == nil || !strings.Contains(err.Error(), "requireSignedBy") {
		t.Errorf("without the file of keys: %v", err)
	}
	if now := g.long.current.Load().signers.of("x")[0].KeyIDs()[0]; now != after {
		t.Error("a configuration that failed has changed the keys")
	}
}
