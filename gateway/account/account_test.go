package account_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/pmap"
)

func TestDirectory(t *testing.T) {
	alice := &account.Account{Name: "alice", Email: "Alice@example.com", Provider: "ldap", ProviderUID: "7"}
	bob := &account.Account{Name: "bob", Email: "both@example.com", Provider: "ldap", ProviderUID: "8"}
	carl := &account.Account{Name: "carl", Email: "BOTH@example.com", Provider: "ldap", ProviderUID: "8"}
	dora := &account.Account{Name: "dora", Email: "both@example.com", ProviderUID: "7"}
	d := account.NewDirectory([]*account.Account{alice, bob, carl, dora})
	for _, c := range []struct {
		what      string
		got, want *account.Account
	}{
		{"by name", d.Account("alice"), alice},
		{"nobody", d.Account("Alice"), nil},
		{"by e-mail", d.ByEmail("alice@example.com"), alice},
		{"capitals", d.ByEmail("ALICE@EXAMPLE.COM"), alice},
		{"several have it", d.ByEmail("both@example.com"), nil},
		{"no e-mail", d.ByEmail(""), nil},
		{"by provider", d.ByProvider("ldap", "7"), alice},
		{"several are", d.ByProvider("ldap", "8"), nil},
		{"another provider", d.ByProvider("github", "7"), nil},
		{"no provider", d.ByProvider("", "7"), nil},
		{"empty", (*account.Directory)(nil).Account("alice"), nil},
		{"empty", (*account.Directory)(nil).ByEmail("a"), nil},
		{"empty", (*account.Directory)(nil).ByProvider("a", "b"), nil},
	} {
		if c.got != c.want {
			t.Errorf("%s: %+v, want %+v", c.what, c.got, c.want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { d.Account("alice"); d.ByEmail("alice@example.com"); d.ByProvider("ldap", "7") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever has come and gone, a directory finds what one made of the same accounts finds.
func TestDirectoryChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		some := func(name string, n int) string {
			return rapid.SampledFrom([]string{"", "a", "b", "A"}[:n]).Draw(t, name)
		}
		d, edit, all := account.NewDirectory(nil), new(pmap.Edit), map[string]*account.Account{}
		for range rapid.IntRange(0, 40).Draw(t, "changes") {
			a := &account.Account{Name: rapid.SampledFrom([]string{"u", "v", "w"}).Draw(t, "name"), Email: some("email", 4), Provider: some("provider", 3), ProviderUID: some("uid", 3)}
			if rapid.Bool().Draw(t, "stays") {
				d, all[a.Name] = d.With(edit, a), a
			} else {
				d = d.Without(edit, a.Name)
				delete(all, a.Name)
			}
		}
		want := account.NewDirectory(slices.Collect(maps.Values(all)))
		for _, x := range []string{"", "a", "b", "A", "u", "v", "w"} {
			if d.Account(x) != want.Account(x) || d.ByEmail(x) != want.ByEmail(x) || d.ByProvider("a", x) != want.ByProvider("a", x) || d.ByProvider("b", x) != want.ByProvider("b", x) {
				t.Fatalf("%q is another", x)
			}
		}
		if len(d.Names()) != len(all) {
			t.Fatal(d.Names())
		}
	})
}

func TestHashed(t *testing.T) {
	for hash, want := range map[string]bool{
		"$2a$10$" + strings.Repeat("x", 53): true, "$2b$04$" + strings.Repeat("x", 53): true, "": false, "P@88w0rd": false,
		"$1a$10$" + strings.Repeat("x", 53): false, strings.Repeat("$2", 30): false,
	} {
		if got := (&account.Account{PasswordHash: hash}).Hashed(); got != want {
			t.Errorf("%q: %v", hash, got)
		}
	}
}
