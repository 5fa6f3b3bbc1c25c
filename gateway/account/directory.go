package account

import (
	"slices"
	"strings"

	"github.com/posternhq/postern/gateway/pmap"
)

// Directory is an immutable set of accounts: a change makes another, which shares all but a few hundred bytes with it. Its
// memory is some 200 bytes an account besides the accounts. A nil one is empty.
type Directory struct {
	byName     pmap.Map[*Account]
	byEmail    pmap.Map[[]*Account]
	byProvider pmap.Map[pmap.Map[[]*Account]] // by provider and uid
}

var _ Users = (*Directory)(nil)

// NewDirectory makes a directory of accounts with different names.
func NewDirectory(all []*Account) *Directory {
	d, edit := new(Directory), new(pmap.Edit)
	for _, a := range all {
		d = d.With(edit, a)
	}
	return d
}

// With is d with an account, in place of the one of that name.
func (d *Directory) With(edit *pmap.Edit, a *Account) *Directory {
	next := *d.Without(edit, a.Name)
	next.byName = next.byName.Set(edit, a.Name, a)
	if a.Email != "" {
		next.byEmail = join(edit, next.byEmail, strings.ToLower(a.Email), a)
	}
	if a.Provider != "" && a.ProviderUID != "" {
		of, _ := next.byProvider.Get(a.Provider)
		next.byProvider = next.byProvider.Set(edit, a.Provider, join(edit, of, a.ProviderUID, a))
	}
	return &next
}

// Without is d without the account of a name.
func (d *Directory) Without(edit *pmap.Edit, name string) *Directory {
	a := d.Account(name)
	if a == nil {
		return d
	}
	next := *d
	next.byName = next.byName.Delete(edit, name)
	if a.Email != "" {
		next.byEmail = leave(edit, next.byEmail, strings.ToLower(a.Email), a)
	}
	if a.Provider != "" && a.ProviderUID != "" {
		of, _ := next.byProvider.Get(a.Provider)
		if of = leave(edit, of, a.ProviderUID, a); of.Empty() {
			next.byProvider = next.byProvider.Delete(edit, a.Provider)
		} else {
			next.byProvider = next.byProvider.Set(edit, a.Provider, of)
		}
	}
	return &next
}

// join adds a to those with key.
func join(edit *pmap.Edit, m pmap.Map[[]*Account], key string, a *Account) pmap.Map[[]*Account] {
	all, _ := m.Get(key)
	return m.Set(edit, key, append(slices.Clone(all), a))
}

// leave takes a away from those with key.
func leave(edit *pmap.Edit, m pmap.Map[[]*Account], key string, a *Account) pmap.Map[[]*Account] {
	all, _ := m.Get(key)
	rest := slices.DeleteFunc(slices.Clone(all), func(o *Account) bool { return o == a })
	if len(rest) == 0 {
		return m.Delete(edit, key)
	}
	return m.Set(edit, key, rest)
}

// only is the one account with key; nil also if there are several.
func only(m pmap.Map[[]*Account], key string) *Account {
	if all, _ := m.Get(key); len(all) == 1 {
		return all[0]
	}
	return nil
}

// Account implements Users.
func (d *Directory) Account(name string) *Account {
	if d == nil {
		return nil
	}
	a, _ := d.byName.Get(name)
	return a
}

// ByEmail implements Users. It allocates for an e-mail with capitals.
func (d *Directory) ByEmail(email string) *Account {
	if d == nil {
		return nil
	}
	return only(d.byEmail, strings.ToLower(email))
}

// ByProvider implements Users.
func (d *Directory) ByProvider(provider, uid string) *Account {
	if d == nil {
		return nil
	}
	of, _ := d.byProvider.Get(provider)
	return only(of, uid)
}

// Names is everybody's name, in no order.
func (d *Directory) Names() []string {
	if d == nil {
		return nil
	}
	var names []string
	for name := range d.byName.All() {
		names = append(names, name)
	}
	return names
}
