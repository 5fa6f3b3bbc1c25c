package gateway

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/idp"
	"github.com/posternhq/postern/gateway/idp/types"
)

// TestIdentityProvidersAreChecked: what is wrong with an identity provider is found before it is used, and placed.
func TestIdentityProvidersAreChecked(t *testing.T) {
	const head = "authentication:\n  oauthOptions:\n    identityProviders:\n    - name: corp\n"
	for text, want := range map[string]string{
		"      type: Telepathy\n": ":5:", // line 5 of the file
		"      type: LDAPIdentityProvider\n      provider:\n        host: ldap.example\n        userSearchBase: dc=x\n        loginAttribute: uid\n        colour: red\n": ":10:",
		"      type: LDAPIdentityProvider\n      mappingMethod: mixed\n":                                                                                                                            ":6:",
		"      type: OIDCIdentityProvider\n      provider:\n        clientID: x\n        endpoint:\n          authURL: https://a.example\n":                                                         ":6:",
		"      type: GitHubIdentityProvider\n      provider:\n        clientID: x\n        endpoint:\n          tokenURL: ftp://a.example\n":                                                        ":9:",
		"      type: LDAPIdentityProvider\n      provider:\n        host: ldap.example\n        userSearchBase: dc=x\n        loginAttribute: uid\n        userSearchFilter: (objectClass=person\n": ":10:",
	} {
		file := filepath.Join(t.TempDir(), "kubesphere.yaml")
		if err := os.WriteFile(file, []byte(head+text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := config.Load(config.Options{File: file, Env: []string{}, Check: CheckConfig})
		var problems config.Errors
		if !errors.As(err, &problems) || len(problems) != 1 || !strings.Contains(problems[0].String(), file+want) {
			t.Errorf("%s\n%v; want %s", text, err, want)
		}
	}
}

// TestIdentityProvidersOfTheREADME: its examples are configurations.
func TestIdentityProvidersOfTheREADME(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("idp", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```yaml\n")[1:]
	seen := map[string]bool{}
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		file := filepath.Join(t.TempDir(), "kubesphere.yaml")
		if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
			t.Fatal(err)
		}
		c, _, err := config.Load(config.Options{File: file, Env: []string{}, Strict: true, Check: CheckConfig})
		if err != nil {
			t.Errorf("%s\n%v", block, err)
			continue
		}
		for _, p := range c.Authentication.OAuthOptions.IdentityProviders {
			seen[p.Type] = true
		}
	}
	for _, kind := range types.All {
		if !seen[kind.Name] {
			t.Errorf("there is no example of %s", kind.Name)
		}
	}
}

// TestReloadKeepsIdentityProviders: those whose entries are the same, with their connections; what cannot be used changes nothing.
func TestReloadKeepsIdentityProviders(t *testing.T) {
	c := newCluster(t)
	with := func(before *config.Config, host string) *config.Config {
		return changed(before, func(o *config.Config) {
			o.Authentication.OAuthOptions.IdentityProviders = []config.IdentityProvider{{
				Name: "corp", Type: "LDAPIdentityProvider",
				Provider: map[string]any{"host": host, "userSearchBase": "dc=x", "loginAttribute": "uid"},
			}}
		})
	}
	first := with(c.configuration(t), "one.example")
	g := run(t, first).ready()
	set := func() *idp.Set { return g.long.current.Load().identities }
	one := set()
	if all := one.Providers(); len(all) != 1 || all[0].Name != "corp" || all[0].Pages {
		t.Fatalf("%+v", all)
	}
	if err := g.Reload(t.Context(), with(changed(first, func(o *config.Config) { o.Postern.DrainTimeout = time.Second }), "one.example")); err != nil || set() != one {
		t.Errorf("the same entry: %v, made anew: %v", err, set() != one)
	}
	if err := g.Reload(t.Context(), with(first, "http://one.example")); err == nil || !strings.Contains(err.Error(), "identityProviders[0].provider.host") || set() != one {
		t.Errorf("a wrong entry: %v", err)
	}
	if err := g.Reload(t.Context(), with(first, "two.example")); err != nil || set() == one {
		t.Errorf("another entry: %v, the old one goes on: %v", err, set() == one)
	}
}
