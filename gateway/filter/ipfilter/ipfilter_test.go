package ipfilter

import (
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/filter/filtertest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

func TestLists(t *testing.T) {
	for _, c := range []struct {
		settings string
		codes    map[string]int
	}{
		{`{"allow":["10.0.0.0/8","2001:db8::/32"]}`, map[string]int{"10.1.2.3": 200, "192.0.2.1": 403, "2001:db8::1": 200, "2001:db9::1": 403, "::ffff:10.1.2.3": 200}},
		{`{"deny":["10.0.0.0/8"]}`, map[string]int{"10.1.2.3": 403, "192.0.2.1": 200, "::ffff:10.1.2.3": 403}},
		{`{"deny":["::ffff:10.0.0.0/104"]}`, map[string]int{"10.1.2.3": 403, "192.0.2.1": 200}},
		{`{"allow":["10.1.0.0/16"],"deny":["10.0.0.0/8","10.1.2.3"]}`, map[string]int{"10.1.2.3": 403, "10.1.2.4": 200, "10.2.0.1": 403, "192.0.2.1": 403}},
		{`{"allow":["10.1.0.0/16"],"deny":["10.0.0.0/8"],"default":"allow"}`, map[string]int{"10.1.0.1": 200, "10.2.0.1": 403, "192.0.2.1": 200}},
		{`{"default":"deny"}`, map[string]int{"10.1.0.1": 403}},
		{`{"allow":["0.0.0.0/0"]}`, map[string]int{"10.1.0.1": 200, "2001:db8::1": 403}},
	} {
		f := filtertest.New(t, Kind, c.settings)
		for from, code := range c.codes {
			// What anybody writes into a header is no address.
			r := filtertest.Request{From: from, Header: map[string]string{"X-Forwarded-For": "10.1.0.1", "X-Real-IP": "10.1.0.1"}}
			if got := filtertest.Do(f, r, nil).Response.StatusCode(); got != code {
				t.Errorf("%s, from %s: %d, want %d", c.settings, from, got, code)
			}
		}
	}
}

// TestTrustedProxy has the address be the one that a trusted proxy told.
func TestTrustedProxy(t *testing.T) {
	f, passed := filtertest.New(t, Kind, `{"allow":["198.51.100.9"]}`), 0
	r := filtertest.Request{From: "10.0.0.1", Header: map[string]string{"X-Forwarded-For": "198.51.100.9"}}
	for trusted, want := range map[string]int{"10.0.0.0/8": 1, "10.9.0.0/16": 0} {
		passed = 0
		filtertest.Do(proxied{f, []netip.Prefix{netip.MustParsePrefix(trusted)}}, r, func(*exchange.Exchange) { passed++ })
		if passed != want {
			t.Errorf("%s is trusted: passed %d times", trusted, passed)
		}
	}
}

// proxied is a filter behind the stage that finds out where requests come from.
type proxied struct {
	filter.Filter
	trusted []netip.Prefix
}

func (p proxied) Serve(x *exchange.Exchange, next exchange.Handler) {
	x.SetClient(p.trusted)
	p.Filter.Serve(x, next)
}

func TestWrong(t *testing.T) {
	for settings, want := range map[string]string{
		`{}`: "needs allow or deny", `{"allow":["10.0.0.0/33"]}`: "allow[0]: want a network", `{"deny":["x"]}`: "deny[0]: want a network",
		`{"allow":["10.0.0.0/8"],"deny":["10.1.0.0/8"]}`: "deny[0]: 10.0.0.0/8 is allowed and denied", `{"allow":["::ffff:0:0/90"]}`: "allow[0]: ",
		`{"allow":["fe80::1%eth0"]}`: "allow[0]: ", `{"deny":["10.0.0.1"],"default":"x"}`: "default: want",
	} {
		filtertest.Refused(t, Kind, filter.BeforeDispatch, settings, want)
	}
}

func TestAllocatesNothing(t *testing.T) {
	f := filtertest.New(t, Kind, `{"allow":["10.0.0.0/8","192.0.2.0/24","2001:db8::/32"]}`)
	filtertest.Do(f, filtertest.Request{}, func(x *exchange.Exchange) {
		if n := testing.AllocsPerRun(100, func() { f.Serve(x, func(*exchange.Exchange) {}) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"10.0.0.0/8", "::ffff:10.0.0.0/104", "2001:db8::1", "fe80::%1", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := parse(text); err == nil && (!p.IsValid() || p != p.Masked() || p.Addr().Is4In6()) {
			t.Errorf("%q is %s", text, p)
		}
	})
}
