package gateway

import (
	"strings"
	"testing"

	"github.com/posternhq/postern/config"
)

// A reload that says the same keeps what was read; who is not configured any more is not asked any more.
func TestVouchersFollowTheConfiguration(t *testing.T) {
	l := new(longLived)
	with := func(audiences []string, urls ...string) *config.Config {
		c := config.Default()
		c.Postern.Authentication.ServiceAccounts.Audiences = audiences
		for _, url := range urls {
			c.Postern.Authentication.Issuers = append(c.Postern.Authentication.Issuers, config.Issuer{URL: url, Audiences: []string{"a"}, UsernameClaim: "sub"})
		}
		return c
	}
	follow := func(before vouchers, c *config.Config) vouchers {
		t.Helper()
		if err := before.follow(l, c); err != nil {
			t.Fatal(err)
		}
		return before
	}
	first := follow(vouchers{}, with(nil, "https://a", "https://b"))
	same := follow(first, with(nil, "https://a", "https://b"))
	if same.issuers[0] != first.issuers[0] || same.issuers[1] != first.issuers[1] || same.reviewer != first.reviewer || len(first.closers(&same)) != 0 {
		t.Error("the same configuration makes other vouchers")
	}
	other := follow(first, with([]string{"postern"}, "https://b", "https://c"))
	if other.issuers[0] != first.issuers[1] || other.issuers[1] == first.issuers[0] || other.reviewer == first.reviewer || len(first.closers(&other)) != 1 {
		t.Errorf("%+v follows %+v", other, first)
	}
	c := with(nil)
	c.Postern.Authentication.ServiceAccounts.Enabled = false
	if none := follow(other, c); len(none.issuers) != 0 || none.reviewer != nil || len(other.closers(&none)) != 2 {
		t.Errorf("%+v", none)
	}
	c = with(nil, "https://a")
	c.Postern.Authentication.Issuers[0].CAFile = "/none"
	if err := new(vouchers).follow(l, c); err == nil || !strings.Contains(err.Error(), "https://a") {
		t.Error(err)
	}
}
