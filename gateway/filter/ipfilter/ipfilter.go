// Package ipfilter lets requests in or turns them away by the address they come from.
package ipfilter

import (
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/status"
)

// Kind is ipFilter. It stands before authentication: who may not even knock needs no password check.
var Kind = filter.Kind{
	Name: "ipFilter", Positions: []filter.Position{filter.BeforeAuthentication, filter.BeforeDispatch, filter.BeforeAnswer},
	Settings: new(settings), New: open,
}

type settings struct {
	Allow   []string `json:"allow,omitempty" jsonschema:"description=networks as 10.0.0.0/8 or single addresses"`
	Deny    []string `json:"deny,omitempty" jsonschema:"description=networks as 10.0.0.0/8 or single addresses"`
	Default string   `json:"default,omitempty" jsonschema:"enum=allow,enum=deny,description=for addresses in no network; deny if allow is set\\, else allow"`
}

// Filter is one pair of lists.
type Filter struct {
	rules   []rule
	allow   bool // addresses that no rule has
	refused prometheus.Counter
}

type rule struct {
	network netip.Prefix
	allow   bool
}

var (
	_ filter.Filter    = (*Filter)(nil)
	_ filter.Explainer = (*Filter)(nil)
)

func open(raw json.RawMessage, env filter.Env) (filter.Filter, error) {
	var s settings
	if err := filter.Decode(raw, &s); err != nil {
		return nil, err
	}
	f := &Filter{allow: len(s.Allow) == 0, refused: env.Event("refused")}
	if err := f.add("allow", s.Allow, true); err != nil {
		return nil, err
	}
	if err := f.add("deny", s.Deny, false); err != nil {
		return nil, err
	}
	if len(f.rules) == 0 && s.Default != "deny" {
		return nil, filter.Wrong("", "needs allow or deny")
	}
	switch s.Default {
	case "":
	case "allow", "deny":
		f.allow = s.Default == "allow"
	default:
		return nil, filter.Wrong("default", "want allow or deny, have %q", s.Default)
	}
	return f, nil
}

func (f *Filter) add(key string, list []string, allow bool) error {
	for i, text := range list {
		p, err := parse(text)
		if err != nil {
			return filter.Wrong(fmt.Sprintf("%s[%d]", key, i), "%w", err)
		}
		for _, r := range f.rules {
			if r.network == p && r.allow != allow {
				return filter.Wrong(fmt.Sprintf("%s[%d]", key, i), "%s is allowed and denied", p)
			}
		}
		f.rules = append(f.rules, rule{p, allow})
	}
	return nil
}

// parse reads a network or an address. An IPv4 network written as IPv6 is the IPv4 network: addresses of clients are
// compared in that form.
func parse(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return p, fmt.Errorf("want a network as 10.0.0.0/8 or an address, have %q", text)
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return p, fmt.Errorf("%q holds IPv4 and other addresses: write two networks", text)
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

// allowed says whether a may come in: the most specific network that has it decides. An address that is not known, as
// on a Unix socket, is in no network.
func (f *Filter) allowed(a netip.Addr) (bool, netip.Prefix) {
	a, allow, best := a.Unmap().WithZone(""), f.allow, netip.Prefix{}
	for _, r := range f.rules {
		if r.network.Contains(a) && (!best.IsValid() || r.network.Bits() > best.Bits()) {
			allow, best = r.allow, r.network
		}
	}
	return allow, best
}

// Serve passes x on, or refuses it with 403. The address is the peer's, or the one that a trusted proxy told: see
// exchange.SetClient.
func (f *Filter) Serve(x *exchange.Exchange, next exchange.Handler) {
	if ok, _ := f.allowed(x.Client()); ok {
		next(x)
		return
	}
	f.refused.Inc()
	status.Write(x, status.Forbidden, "requests from your address are not allowed here")
}

// Explain says what the lists are: an explained request comes from nowhere.
func (f *Filter) Explain(*exchange.Exchange) exchange.Finding {
	word := "deny"
	if f.allow {
		word = "allow"
	}
	return exchange.Finding{Reason: "by the client's address", Details: map[string]any{"networks": len(f.rules), "others": word}}
}

// Close has nothing to free.
func (*Filter) Close() error { return nil }
