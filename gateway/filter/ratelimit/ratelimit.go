// Package ratelimit refuses requests that come faster than a user, an address, a group or everybody may ask.
package ratelimit

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/filter/lru"
	"github.com/posternhq/postern/gateway/status"
)

// Kind is rateLimit. By default it stands where who asks is known.
var Kind = filter.Kind{
	Name: "rateLimit", Positions: []filter.Position{filter.BeforeDispatch, filter.BeforeAuthentication, filter.BeforeAnswer},
	Settings: new(settings), New: open,
}

// Filter is a list of limits, all of which must have room.
type Filter struct {
	limits  []limit
	headers bool
	refused prometheus.Counter
}

// limit is one limit with its token buckets (golang.org/x/time/rate): Burst tokens, filled at rate.
type limit struct {
	by      string
	rate    rate.Limit
	burst   int
	groups  []string
	policy  string // RateLimit-Policy
	buckets *lru.Cache[key, *rate.Limiter]
	fresh   func() *rate.Limiter // made once: no allocation per request
}

// key is whose bucket it is: a user, a group, or an address.
type key struct {
	name    string
	address netip.Addr
}

var (
	_ filter.Filter    = (*Filter)(nil)
	_ filter.Explainer = (*Filter)(nil)
	_ filter.Measurer  = (*Filter)(nil)
)

// shards of the buckets of one limit: enough that cores seldom wait for one another.
const shards = 16

// maxLimits bounds what one request costs.
const maxLimits = 8

func open(raw json.RawMessage, env filter.Env) (filter.Filter, error) {
	s, err := decode(raw, env)
	if err != nil {
		return nil, err
	}
	if len(s.Limits) > maxLimits {
		return nil, filter.Wrong("limits", "at most %d, have %d", maxLimits, len(s.Limits))
	}
	f := &Filter{headers: s.Headers == nil || *s.Headers, refused: env.Event("refused")}
	for _, l := range s.Limits {
		f.limits = append(f.limits, newLimit(l, s.Buckets))
	}
	return f, nil
}

func newLimit(s limitSettings, buckets int) limit {
	l := limit{by: s.By, burst: s.Burst, groups: s.Groups}
	l.rate = rate.Limit(s.Requests / time.Duration(s.Per).Seconds())
	l.policy = fmt.Sprintf("%q;q=%d;w=%d", s.By, l.burst, seconds(float64(l.burst)/float64(l.rate)))
	l.buckets = lru.New[key, *rate.Limiter](shards, max(buckets, len(s.Groups)*shards, shards), 0)
	l.fresh = func() *rate.Limiter { return rate.NewLimiter(l.rate, l.burst) }
	return l
}

// seconds rounds up, 1 at least.
func seconds(s float64) int64 { return int64(min(max(1, math.Ceil(s)), 1<<31)) }

// bucket is whose turn x's is; nil: the limit is not about x.
func (l *limit) bucket(x *exchange.Exchange) *rate.Limiter {
	var k key
	switch l.by {
	case "address":
		k.address = network(x.Client())
	case "user":
		if u := x.User; u == nil || u.Method == "anonymous" {
			k.address = network(x.Client()) // nobodies are told apart by where they come from
		} else {
			k.name = u.Name
		}
	case "group":
		if k.name = l.group(x.User); k.name == "" {
			return nil
		}
	}
	return l.buckets.GetOrAdd(k, l.fresh)
}

// network is what counts as one address: of IPv6 a /64, since a single client has all of it.
func network(a netip.Addr) netip.Addr {
	if !a.Is6() || a.Is4In6() {
		return a.Unmap()
	}
	p, _ := a.Prefix(64)
	return p.Addr()
}

// group is the first of the limit's groups that u has.
func (l *limit) group(u *exchange.User) string {
	if u == nil {
		return ""
	}
	for _, want := range l.groups {
		for _, has := range u.Groups {
			if has == want {
				return want
			}
		}
	}
	return ""
}

// Serve takes a token of each limit's bucket, or of none: a user who is refused must not empty the bucket of a group.
// Watches and tunnels count once, when they begin.
func (f *Filter) Serve(x *exchange.Exchange, next exchange.Handler) {
	var buckets [maxLimits]*rate.Limiter
	now := x.Received
	for i := range f.limits {
		b := f.limits[i].bucket(x)
		if b != nil && b.TokensAt(now) < 1 {
			f.refuse(x, i, b)
			return
		}
		buckets[i] = b
	}
	for i := range f.limits {
		if b := buckets[i]; b != nil && !b.AllowN(now, 1) {
			f.refuse(x, i, b) // others were faster
			return
		}
	}
	next(x)
	if f.headers && !x.HTTP.Hijacked() {
		f.tell(x, buckets[:len(f.limits)])
	}
}

// refuse answers 429, which client-go obeys by itself.
func (f *Filter) refuse(x *exchange.Exchange, i int, b *rate.Limiter) {
	f.refused.Inc()
	l := &f.limits[i]
	wait := seconds((1 - b.TokensAt(x.Received)) / float64(l.rate))
	status.Write(x, status.TooManyRequests, "too many requests for the limit by "+l.by)
	h := &x.HTTP.Response.Header
	h.Set("Retry-After", strconv.FormatInt(wait, 10))
	if f.headers {
		f.write(x, l, b)
	}
}

// tell writes the headers of the limit that has the least left.
func (f *Filter) tell(x *exchange.Exchange, buckets []*rate.Limiter) {
	least, left := -1, math.Inf(1)
	for i, b := range buckets {
		if b == nil {
			continue
		}
		if n := b.TokensAt(x.Received); n < left {
			least, left = i, n
		}
	}
	if least >= 0 {
		f.write(x, &f.limits[least], buckets[least])
	}
}

// write writes RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers): q is the bucket's size, w the
// seconds in which it fills, r what is left, t the seconds until it is full.
func (f *Filter) write(x *exchange.Exchange, l *limit, b *rate.Limiter) {
	left := max(0, b.TokensAt(x.Received))
	h := &x.HTTP.Response.Header
	h.Set("RateLimit-Policy", l.policy)
	var room [64]byte
	v := append(append(append(room[:0], '"'), l.by...), `";r=`...)
	v = strconv.AppendInt(v, int64(left), 10)
	v = strconv.AppendInt(append(v, ";t="...), seconds((float64(l.burst)-left)/float64(l.rate)), 10)
	h.SetBytesV("RateLimit", v)
}

// Explain names the limits that count the request; what is left in their buckets is not a property of it.
func (f *Filter) Explain(x *exchange.Exchange) exchange.Finding {
	details := map[string]any{}
	for i, l := range f.limits {
		if l.by != "group" || x.User == nil || l.group(x.User) != "" {
			details[fmt.Sprintf("limits[%d]", i)] = fmt.Sprintf("by %s: %v a second, %d at once", l.by, float64(l.rate), l.burst)
		}
	}
	return exchange.Finding{Reason: fmt.Sprintf("counted by %d limits", len(details)), Details: details}
}

// Measure reports how many buckets there are.
func (f *Filter) Measure(report func(string, float64)) {
	n := 0
	for _, l := range f.limits {
		n += l.buckets.Len()
	}
	report("buckets", float64(n))
}

// Close has nothing to free.
func (*Filter) Close() error { return nil }
