package config

import (
	"strings"
	"testing"
)

func TestIssuers(t *testing.T) {
	good := Issuer{URL: "https://login.example.com", Audiences: []string{"console"}}
	for name, c := range map[string]struct {
		issuers []Issuer
		key     string // of the problem; empty: none
	}{
		"one":           {[]Issuer{good}, ""},
		"on this host":  {[]Issuer{{URL: "http://127.0.0.1:5556/dex", Audiences: good.Audiences}}, ""},
		"twice":         {[]Issuer{good, good}, "issuers[1].url"},
		"no url":        {[]Issuer{{Audiences: good.Audiences}}, "issuers[0].url"},
		"ourselves":     {[]Issuer{{URL: "https://postern.example.com", Audiences: good.Audiences}}, "issuers[0].url"},
		"in the clear":  {[]Issuer{{URL: "http://login.example.com", Audiences: good.Audiences}}, "issuers[0].url"},
		"for everybody": {[]Issuer{{URL: good.URL}}, "issuers[0].audiences"},
	} {
		o := Default()
		o.Authentication.OAuthOptions.Issuer = "https://postern.example.com"
		o.Postern.Authentication.Issuers = c.issuers
		var found []string
		o.issuerConflicts(func(key, message string) { found = append(found, key+" "+message) })
		if (len(found) == 0) != (c.key == "") || len(found) > 0 && !strings.HasPrefix(found[0], "postern.authentication."+c.key+" ") {
			t.Errorf("%s: %q", name, found)
		}
	}
}

// Without a word on it, no issuer may name somebody of ours.
func TestPrefixes(t *testing.T) {
	for given, want := range map[string]string{"": "https://i#", "-": "", "oidc:": "oidc:"} {
		i := Issuer{URL: "https://i", UsernamePrefix: given, GroupsPrefix: given}
		if user, group := i.Prefixes(); user != want || group != want {
			t.Errorf("%q: %q, %q, want %q", given, user, group, want)
		}
	}
}
