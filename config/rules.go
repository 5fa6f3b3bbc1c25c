package config

import (
	"fmt"
	"slices"
	"strings"
)

// minSecret is the shortest jwtSecret that is as strong as HS256 itself, in
// bytes (RFC 7518, section 3.2).
const minSecret = 32

// conflicts are errors that need more than one key to see.
func (c *Config) conflicts() []Problem {
	var found []Problem
	fail := func(key, message string) { found = append(found, Problem{Key: key, Message: message}) }

	if a := c.Authentication; a.AuthenticateRateLimiterMaxTries > a.LoginHistoryMaximumEntries {
		fail("authentication.authenticateRateLimiterMaxTries",
			fmt.Sprintf("%d is more than loginHistoryMaximumEntries (%d), so no user would ever be locked", a.AuthenticateRateLimiterMaxTries, a.LoginHistoryMaximumEntries))
	}
	c.listenConflicts(fail)
	c.cacheConflicts(fail)
	if k := c.Postern.Kube; k.Identity == IdentityImpersonate && k.DecidedGroup == "" {
		fail("postern.kube.decidedGroup", "is empty, so nobody would be allowed anything; identity strict does without it")
	}
	c.nameConflicts(fail)
	c.issuerConflicts(fail)
	c.grantConflicts(fail)
	c.rolloutConflicts(fail)
	c.filterConflicts(fail)
	return found
}

func (c *Config) listenConflicts(fail func(key, message string)) {
	listen := c.Postern.Listen
	if listen.Address == "" && listen.TLS.Address == "" {
		fail("postern.listen.address", "no listener: this and tls.address are both empty")
	}
	if listen.TLS.Address != "" && (listen.TLS.CertFile == "" || listen.TLS.KeyFile == "") {
		fail("postern.listen.tls.address", "needs certFile and keyFile")
	}
	used := map[string]string{}
	for _, l := range []struct{ key, address string }{
		{"postern.listen.address", listen.Address},
		{"postern.listen.tls.address", listen.TLS.Address},
		{"postern.admin.address", c.Postern.Admin.Address},
	} {
		if other := used[l.address]; other != "" && !strings.HasSuffix(l.address, ":0") {
			fail(l.key, fmt.Sprintf("%q is also %s", l.address, other))
		}
		if l.address != "" {
			used[l.address] = l.key
		}
	}
}

// nameConflicts finds names that must be unique and are not.
func (c *Config) nameConflicts(fail func(key, message string)) {
	seen := map[string]bool{}
	for i, provider := range c.Authentication.OAuthOptions.IdentityProviders {
		key := fmt.Sprintf("authentication.oauthOptions.identityProviders[%d].name", i)
		if provider.Name == "" || seen[provider.Name] {
			fail(key, fmt.Sprintf("want a name that no other provider has, have %q", provider.Name))
		}
		seen[provider.Name] = true
	}
	clear(seen)
	for i, client := range c.Authentication.OAuthOptions.Clients {
		key := fmt.Sprintf("authentication.oauthOptions.clients[%d].name", i)
		if client.Name == "" || seen[client.Name] {
			fail(key, fmt.Sprintf("want a name that no other client has, have %q", client.Name))
		}
		seen[client.Name] = true
	}
}

// sectionBackends are the backends that sections of KubeSphere's name; without
// an endpoint they are granted in vain, which is no error.
var sectionBackends = []string{"kubeedge", "edgeruntime", "notification"}

func (c *Config) grantConflicts(fail func(key, message string)) {
	modules := c.Postern.Modules.PerModule
	for _, name := range sortedNames(modules) {
		at := path{"postern", "modules", "perModule", name, "grants"}
		for _, backend := range modules[name].Grants.HTTP {
			if _, ok := c.Postern.Backends[backend]; !ok && !slices.Contains(sectionBackends, backend) {
				fail(at.with("http").String(), fmt.Sprintf("there is no backend %q in postern.backends", backend))
			}
		}
		for i, grant := range modules[name].Grants.Kube {
			if len(grant.Groups) == 0 || len(grant.Resources) == 0 || len(grant.Verbs) == 0 {
				fail(at.with("kube").item(i).String(), "needs groups, resources and verbs")
			}
		}
	}
	for _, name := range sortedNames(c.Postern.Backends) {
		at := path{"postern", "backends", name}
		if slices.Contains(sectionBackends, name) {
			fail(at.String(), "is the name of a section's endpoint")
		}
		if c.Postern.Backends[name].URL == "" {
			fail(at.with("url").String(), "is not set")
		}
	}
}

// doubts are warnings about values that work and are perhaps not meant.
func (c *Config) doubts() []Problem {
	var found []Problem
	warn := func(key, message string) { found = append(found, Problem{Key: key, Message: message}) }
	if n := len(c.Authentication.JWTSecret); n > 0 && n < minSecret {
		warn("authentication.jwtSecret", fmt.Sprintf("has %d bytes, HS256 wants at least %d", n, minSecret))
	}
	if c.Authorization.Mode == "AlwaysAllow" {
		warn("authorization.mode", "AlwaysAllow: everybody may do everything")
	}
	c.cacheDoubts(warn)
	if c.Monitoring.Endpoint == "" {
		warn("monitoring.endpoint", "is empty: metrics are not served")
	}
	return found
}
