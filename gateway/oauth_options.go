package gateway

import (
	"slices"
	"time"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/idp"
	"github.com/posternhq/postern/gateway/oauth"
)

// oauthOptions are what c says of the OAuth server, and what outlives c: its keys, sessions and accounts are those that
// requests are authenticated with.
func (g *Gateway) oauthOptions(c *config.Config, n *lasting) oauth.Options {
	l, o := g.long, c.Authentication.OAuthOptions
	return oauth.Options{
		Keys: l.keys.Ring(), Users: l.platform, Ready: l.platform.UsersSynced, Passwords: n.logins, Sessions: l.sessions, Metrics: l.oauth,
		Visits: n.identities.Visits(), Providers: oauthProviders(n.identities), Recorder: l.users,
		Issuer: o.Issuer, Clients: oauthClients(c), MaxAge: o.AccessTokenMaxAge, Inactivity: o.AccessTokenInactivityTimeout,
		MultipleLogin: c.Authentication.MultipleLogin, Implicit: c.Postern.OAuth.Implicit, BareCallback: c.Postern.OAuth.CallbackWithoutState,
	}
}

// oauthProviders are those that the login page offers.
func oauthProviders(set *idp.Set) []oauth.Provider {
	infos := set.Providers()
	all := make([]oauth.Provider, len(infos))
	for i, p := range infos {
		all[i] = oauth.Provider(p)
	}
	return all
}

// oauthClients are those of c, and the one that is built in. They have the lives of all tokens unless they have their own.
func oauthClients(c *config.Config) []oauth.Client {
	o := c.Authentication.OAuthOptions
	all := make([]oauth.Client, len(o.Clients))
	or := func(own *time.Duration, common time.Duration) time.Duration {
		if own != nil {
			return *own
		}
		return common
	}
	for i, c := range o.Clients {
		all[i] = oauth.Client{
			Name: c.Name, Secret: c.Secret, RedirectURIs: c.RedirectURIs, Consent: c.GrantMethod, Scopes: c.ScopeRestrictions,
			MaxAge:     or(c.AccessTokenMaxAge, o.AccessTokenMaxAge),
			Inactivity: or(c.AccessTokenInactivityTimeout, o.AccessTokenInactivityTimeout),
		}
	}
	return withCommandLine(all, c)
}

// CommandLineClient is the client that `postern login` says it is. A client of that name in the configuration takes its place.
const CommandLineClient = "postern"

// withCommandLine adds the client that is built in: public, for codes to a port of the user's own machine and for passwords.
func withCommandLine(all []oauth.Client, c *config.Config) []oauth.Client {
	if !c.Postern.OAuth.CommandLine || slices.ContainsFunc(all, func(c oauth.Client) bool { return c.Name == CommandLineClient }) {
		return all
	}
	o := c.Authentication.OAuthOptions
	return append(all, oauth.Client{
		Name: CommandLineClient, RedirectURIs: []string{"http://127.0.0.1/callback", "http://[::1]/callback"},
		MaxAge: o.AccessTokenMaxAge, Inactivity: o.AccessTokenInactivityTimeout,
	})
}
