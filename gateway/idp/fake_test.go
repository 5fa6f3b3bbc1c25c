package idp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/posternhq/postern/gateway/account"
)

// platform is accounts in memory.
type platform struct {
	mu      sync.Mutex
	all     []*account.Account
	created int
	refuse  error                        // what Create fails with
	rival   func(u NewUser, _ *platform) // what another replica does before Create fails with ErrTaken
}

func (p *platform) directory() *account.Directory {
	p.mu.Lock()
	defer p.mu.Unlock()
	return account.NewDirectory(p.all)
}

func (p *platform) Account(name string) *account.Account  { return p.directory().Account(name) }
func (p *platform) ByEmail(email string) *account.Account { return p.directory().ByEmail(email) }
func (p *platform) ByProvider(provider, uid string) *account.Account {
	return p.directory().ByProvider(provider, uid)
}

func (p *platform) add(a *account.Account) *account.Account {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(slices.DeleteFunc(p.all, func(b *account.Account) bool { return b.Name == a.Name }), a)
	return a
}

func (p *platform) Create(_ context.Context, u NewUser) (*account.Account, error) {
	if p.rival != nil {
		p.rival(u, p)
		return nil, fmt.Errorf("there: %w", ErrTaken)
	}
	if p.refuse != nil {
		return nil, p.refuse
	}
	if p.Account(u.Name) != nil {
		return nil, ErrTaken
	}
	p.mu.Lock()
	p.created++
	p.mu.Unlock()
	return p.add(&account.Account{
		Name: u.Name, Email: u.Email, DisplayName: u.DisplayName, Groups: u.Groups, State: account.Active, Provider: u.Provider, ProviderUID: u.UID,
	}), nil
}

func (p *platform) Regroup(_ context.Context, name string, change func([]string) []string) (*account.Account, error) {
	if p.refuse != nil {
		return nil, p.refuse
	}
	a := *p.Account(name)
	a.Groups = change(slices.Clone(a.Groups))
	return p.add(&a), nil
}

// passwords is a provider that lets in who says "yes".
type passwords struct{ id Identity }

func (passwords) Close() {}

func (p passwords) Login(_ context.Context, name, password string) (Identity, error) {
	if password != "yes" {
		return Identity{}, ErrRefused
	}
	return p.id, nil
}

// pages is a provider that lets in who brings the code "yes".
type pages struct{ id Identity }

func (pages) Close() {}

func (pages) AuthorizeURL(_ context.Context, v Visit) (string, error) {
	return "https://idp.example/?state=" + v.State, nil
}

func (p pages) Exchange(_ context.Context, _ Visit, callback url.Values) (Identity, error) {
	if callback.Get("code") != "yes" {
		return Identity{}, ErrRefused
	}
	return p.id, nil
}

var testTypes = []Type{
	{Name: "Passwords", New: func(raw json.RawMessage) (Provider, error) {
		p := passwords{}
		return p, Decode(raw, &p.id)
	}},
	{Name: "Pages", New: func(raw json.RawMessage) (Provider, error) {
		p := pages{}
		err := Decode(raw, &p.id)
		return p, err
	}},
}

// newSet is a set of specs over p.
func newSet(t *testing.T, p *platform, specs ...Spec) *Set {
	t.Helper()
	s, err := New(specs, Options{Types: testTypes, Users: p, Accounts: p})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}
