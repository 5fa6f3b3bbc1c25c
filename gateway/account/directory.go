package account

import "strings"

// Directory is an immutable set of accounts. Its memory is some 100 bytes an account besides the accounts. A nil one is
// empty.
type Directory struct {
	byName     map[string]*Account
	byEmail    map[string]*Account // nil values: several have it
	byProvider map[link]*Account   // likewise
}

type link struct{ provider, uid string }

var _ Users = (*Directory)(nil)

// NewDirectory makes a directory of accounts with different names.
func NewDirectory(all []*Account) *Directory {
	d := &Directory{byName: make(map[string]*Account, len(all)), byEmail: map[string]*Account{}, byProvider: map[link]*Account{}}
	for _, a := range all {
		d.byName[a.Name] = a
		if a.Email != "" {
			add(d.byEmail, strings.ToLower(a.Email), a)
		}
		if a.Provider != "" && a.ProviderUID != "" {
			add(d.byProvider, link{a.Provider, a.ProviderUID}, a)
		}
	}
	return d
}

// add makes a the one with key, or nobody if there is one already.
func add[K comparable](m map[K]*Account, key K, a *Account) {
	if _, taken := m[key]; taken {
		a = nil
	}
	m[key] = a
}

// Account implements Users.
func (d *Directory) Account(name string) *Account {
	if d == nil {
		return nil
	}
	return d.byName[name]
}

// ByEmail implements Users. It allocates for an e-mail with capitals.
func (d *Directory) ByEmail(email string) *Account {
	if d == nil {
		return nil
	}
	return d.byEmail[strings.ToLower(email)]
}

// ByProvider implements Users.
func (d *Directory) ByProvider(provider, uid string) *Account {
	if d == nil {
		return nil
	}
	return d.byProvider[link{provider, uid}]
}
