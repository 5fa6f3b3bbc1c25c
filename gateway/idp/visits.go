package idp

import (
	"context"
	"fmt"
	"net/url"

	"github.com/posternhq/postern/gateway/account"
)

// Visits are a Set as browsers see it.
type Visits struct{ set *Set }

// Visits are the logins by way of providers' own pages.
func (s *Set) Visits() Visits { return Visits{s} }

// AuthorizeURL is where the browser goes to log in.
func (v Visits) AuthorizeURL(ctx context.Context, provider string, visit Visit) (string, error) {
	_, p, err := v.find(provider)
	if err != nil {
		return "", err
	}
	return p.AuthorizeURL(ctx, visit)
}

// Login says whose account it is with whom the browser came back, and makes it if there is none and the mapping says so. The
// caller has compared the state, and looks at the state of the account.
func (v Visits) Login(ctx context.Context, provider string, visit Visit, callback url.Values) (*account.Account, error) {
	e, p, err := v.find(provider)
	if err != nil {
		return nil, err
	}
	if callback.Get("error") != "" {
		return nil, fmt.Errorf("cannot log in with %q: it says %q, %q: %w", provider, text(callback.Get("error")), text(callback.Get("error_description")), ErrRefused)
	}
	id, err := p.Exchange(ctx, visit, callback)
	if err != nil {
		return nil, fmt.Errorf("cannot log in with %q: %w", provider, err)
	}
	return v.set.account(ctx, e, id)
}

func (v Visits) find(provider string) (*entry, OAuthProvider, error) {
	if e := v.set.find(provider); e != nil {
		if p, ok := e.provider.(OAuthProvider); ok {
			return e, p, nil
		}
	}
	return nil, nil, fmt.Errorf("cannot log in with %q in a browser: %w", provider, ErrUnknown)
}
