// Package account says what is known of the platform's users, and finds them.
package account

import (
	"strings"
	"time"
)

// States of an account. In the empty one nobody has looked at the user yet: they may not log in either.
const (
	Active            = "Active"
	Disabled          = "Disabled"
	AuthLimitExceeded = "AuthLimitExceeded"
)

// Account is what is kept of a user. Accounts are immutable: a change is a new one.
type Account struct {
	Name, UID                string
	Email, Lang, DisplayName string
	PasswordHash             string // bcrypt; anything else is no password that one could log in with
	Groups                   []string
	State                    string
	Created                  time.Time // in whole seconds; zero: not known
	// Provider is the identity provider that the user comes from, and ProviderUID who they are there; empty: from here.
	Provider, ProviderUID string
}

// Hashed says whether the account has a password that can be checked: one that was stored as it was typed cannot, until
// it has been hashed.
func (a *Account) Hashed() bool {
	return len(a.PasswordHash) == 60 && strings.HasPrefix(a.PasswordHash, "$2") && a.PasswordHash[3] == '$' && a.PasswordHash[6] == '$'
}

// Users finds accounts. Its answers are nil if there is nobody. It keeps no argument and allocates
// nothing.
type Users interface {
	Account(name string) *Account
	// ByEmail is whose e-mail that is, capitals or not (they cost an allocation); nil also when several have it.
	ByEmail(email string) *Account
	// ByProvider is who the identity provider knows as uid; nil also when several are.
	ByProvider(provider, uid string) *Account
}
