package gateway

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
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

// unsigned is the smallest module there is.
var unsigned = []byte("\x00asm\x01\x00\x00\x00")

// idle is a filter that does nothing.
type idle struct{}

func (idle) Serve(x *exchange.Exchange, next exchange.Handler) { next(x) }
func (idle) Close() error                                      { return nil }

// TestTrustFollowsTheConfiguration: a filter that goes on over a reload, and reads its file again, asks for the signatures that are
// wanted then; and one that is made for a configuration, for those of that one.
func TestTrustFollowsTheConfiguration(t *testing.T) {
	c := newCluster(t)
	first := c.configuration(t)
	g := run(t, first).ready()
	var trust func(wasm []byte) error
	trusted := true // what the last filter that was made was told
	kind := filter.Kind{Name: "probe", Positions: []filter.Position{filter.BeforeDispatch}, New: func(_ json.RawMessage, env filter.Env) (filter.Filter, error) {
		trust, trusted = env.Trust, env.Trust(unsigned) == nil
		return idle{}, nil
	}}
	g.long.filters.Kinds = append(slices.Clone(g.long.filters.Kinds), kind)
	reload := func(name string, keys ...string) {
		t.Helper()
		err := g.Reload(t.Context(), changed(first, func(c *config.Config) {
			c.Postern.Filters, c.Postern.Modules.RequireSignedBy = []config.Filter{{Name: name, Kind: "probe"}}, keys
		}))
		if err != nil {
			t.Fatal(err)
		}
	}
	key := keyFile(t, "release.pub")
	reload("one")
	if !trusted || trust(unsigned) != nil {
		t.Error("a signature is wanted that nobody has asked for")
	}
	before := trust
	reload("one", key)
	if before(unsigned) == nil {
		t.Error("a filter of before would run what is not signed")
	}
	if reload("two", key); trusted {
		t.Error("a new filter runs what is not signed")
	}
}
