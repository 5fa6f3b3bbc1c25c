package gateway

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/authn/oidc"
	"github.com/posternhq/postern/gateway/authn/review"
	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/oauth"
)

// maxCAFile bounds a PEM file of authorities, in bytes.
const maxCAFile = 1 << 20

// vouchers are those who vouch for tokens that are not ours. What is configured as before is the same as before, with the
// keys and answers that it has read.
type vouchers struct {
	issuers   []*oidc.Issuer
	reviewer  *review.Reviewer // nil: nobody asks about service accounts
	audiences []string
}

// follow makes v what c wants. Nothing of it is left when it fails.
func (v *vouchers) follow(l *longLived, c *config.Config) error {
	var issuers []*oidc.Issuer
	for _, wanted := range c.Postern.Authentication.Issuers {
		o, err := issuerOptions(c, wanted)
		if err != nil {
			return err
		}
		same := func(known *oidc.Issuer) bool { return known.Same(o) }
		if at := slices.IndexFunc(v.issuers, same); at >= 0 {
			issuers = append(issuers, v.issuers[at])
			continue
		}
		issuer, err := oidc.New(o) // asks nobody yet: there is nothing to close if a later one fails
		if err != nil {
			return err
		}
		issuers = append(issuers, issuer)
	}
	v.issuers = issuers
	switch accounts := c.Postern.Authentication.ServiceAccounts; {
	case !accounts.Enabled:
		v.reviewer = nil
	case v.reviewer == nil || !slices.Equal(v.audiences, accounts.Audiences):
		v.reviewer, v.audiences = review.New(l.direct, accounts.Audiences), accounts.Audiences
	}
	return nil
}

func issuerOptions(c *config.Config, i config.Issuer) (o oidc.Options, err error) {
	o = oidc.Options{
		URL: i.URL, Audiences: i.Audiences, UsernameClaim: i.UsernameClaim, GroupsClaim: i.GroupsClaim,
		Skew: c.Authentication.MaximumClockSkew,
	}
	o.UsernamePrefix, o.GroupsPrefix = i.Prefixes()
	if i.CAFile == "" {
		return o, nil
	}
	f, err := os.Open(i.CAFile)
	if err != nil {
		return o, fmt.Errorf("cannot read the authorities of issuer %q: %w", i.URL, err)
	}
	defer f.Close() //nolint:errcheck // only read
	if o.CA, err = io.ReadAll(io.LimitReader(f, maxCAFile)); err != nil {
		return o, fmt.Errorf("cannot read the authorities of issuer %q: %w", i.URL, err)
	}
	return o, nil
}

// issuersNote names the issuers whose keys cannot be read: their users cannot come in, all others can.
func (l *longLived) issuersNote() string {
	var notes []string
	for _, issuer := range l.current.Load().vouchers.issuers {
		if err := issuer.Problem(); err != nil {
			notes = append(notes, issuer.URL()+": "+err.Error())
		}
	}
	return strings.Join(notes, "; ")
}

// closers close the issuers that other does not have.
func (v *vouchers) closers(other *vouchers) (all []func()) {
	for _, issuer := range v.issuers {
		if !slices.Contains(other.issuers, issuer) {
			all = append(all, issuer.Close)
		}
	}
	return all
}

func (g *Gateway) authnOptions(c *config.Config, n *lasting) authn.Options {
	l, own := g.long, c.Postern.Authentication
	return authn.Options{
		Users: l.platform, Ready: l.platform.UsersSynced, AllowAnonymous: c.Postern.Anonymous.Allow, Open: authz.Open, Leave: oauth.Ours,
		Logins: l.logins, Keys: l.keys.Ring(), Sessions: l.sessions, Cache: l.tokens,
		MaxAge:  c.Authentication.OAuthOptions.AccessTokenMaxAge,
		Issuers: n.vouchers.issuers, Reviewer: n.vouchers.reviewer,
		Certificates: authn.Certificates{
			Enabled: own.ClientCertificates.Enabled && c.Postern.Listen.TLS.ClientCAFile != "", System: own.ClientCertificates.System,
		},
		ReservedGroups: []string{c.Postern.Kube.DecidedGroup}, Metrics: l.authn,
	}
}
