package gateway

import (
	"context"
	"errors"
	"fmt"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/idp"
	"github.com/posternhq/postern/gateway/idp/types"
	"github.com/posternhq/postern/gateway/kube"
	"github.com/posternhq/postern/gateway/login"
	"github.com/posternhq/postern/gateway/users"
)

// identitySpecs are the identity providers of c.
func identitySpecs(c *config.Config) []idp.Spec {
	all := c.Authentication.OAuthOptions.IdentityProviders
	specs := make([]idp.Spec, len(all))
	for i, p := range all {
		specs[i] = idp.Spec{Name: p.Name, Type: p.Type, Mapping: p.MappingMethod, Options: p.Provider}
	}
	return specs
}

// checkIdentities finds what is wrong with the identity providers of c.
func checkIdentities(c *config.Config) (problems []config.Problem) {
	for i, spec := range identitySpecs(c) {
		if err := idp.Check(spec, types.All); err != nil {
			problems = append(problems, identityProblem(i, err))
		}
	}
	return problems
}

// identityProblem places what is wrong with the provider of that index.
func identityProblem(i int, err error) config.Problem {
	p := config.Problem{Key: fmt.Sprintf("authentication.oauthOptions.identityProviders[%d]", i), Message: err.Error()}
	var wrong *idp.OptionError
	if errors.As(err, &wrong) && wrong.Key != "" {
		p.Key, p.Message = p.Key+"."+wrong.Key, wrong.Err.Error()
	}
	return p
}

// identitySet makes the identity providers of c, unless they are those of the configuration before: connections to
// directories, and what providers have said of themselves, are kept.
func (s *lasting) identitySet(l *longLived, c *config.Config) error {
	specs := identitySpecs(c)
	if s.identities != nil && s.identities.Same(specs) {
		return nil
	}
	set, err := idp.New(specs, idp.Options{Types: types.All, Users: l.platform, Accounts: identityAccounts{l.users}, Known: usersKnown(l.platform), Log: l.log})
	var wrong *idp.SpecError
	if errors.As(err, &wrong) {
		return errors.New(identityProblem(wrong.Index, wrong.Err).String())
	}
	if err == nil {
		s.identities, s.logins = set, l.logins.WithDirectory(directory{set})
	}
	return err
}

// directory has the words of package login for what providers say.
type directory struct{ set *idp.Set }

var _ login.Directory = directory{}

// Login implements login.Directory.
func (d directory) Login(ctx context.Context, provider, name, password string) (*account.Account, error) {
	a, err := d.set.Login(ctx, provider, name, password)
	if errors.Is(err, idp.ErrRefused) {
		return nil, fmt.Errorf("%w: %w", login.ErrWrong, err)
	}
	return a, err
}

// identityAccounts make accounts for identities.
type identityAccounts struct{ users *users.Writer }

var _ idp.Creator = identityAccounts{}

// Create implements idp.Creator.
func (i identityAccounts) Create(ctx context.Context, u idp.NewUser) (*account.Account, error) {
	a, err := i.users.Create(ctx, users.NewUser{
		Name: u.Name, Email: u.Email, DisplayName: u.DisplayName, Groups: u.Groups, Provider: u.Provider, ProviderUID: u.UID,
	})
	if kube.Exists(err) {
		return nil, fmt.Errorf("%w: %w", idp.ErrTaken, err)
	}
	return a, err
}

// Regroup implements idp.Creator.
func (i identityAccounts) Regroup(ctx context.Context, name string, change func([]string) []string) (*account.Account, error) {
	return i.users.Regroup(ctx, name, change)
}

// usersKnown is the wait for users to be read.
func usersKnown(p *kube.Stores) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-p.UsersRead():
		case <-ctx.Done():
		}
		return p.UsersSynced()
	}
}
