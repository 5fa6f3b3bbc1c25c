package gateway

import (
	"fmt"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/idp"
	"github.com/posternhq/postern/gateway/kubeproxy"
	"github.com/posternhq/postern/gateway/limit"
	"github.com/posternhq/postern/gateway/login"
	"github.com/posternhq/postern/gateway/session"
	"github.com/posternhq/postern/gateway/token/shared"
	"github.com/posternhq/postern/gateway/users"
)

// lasting is what one configuration takes over from the one before, as far as its settings are the same: connections and
// counts must survive a reload. It is immutable; a reload makes the next one, which comes into use as a whole or not at
// all.
type lasting struct {
	proxy      *kubeproxy.Stage
	proxySays  config.Kube // the settings it was made from
	services   serviceSet
	limit      *limit.Stage
	limits     limit.Options
	authorizer *authz.Authorizer // decides what modules do in a caller's name, too
	filters    *filter.Set       // each configuration's own; the filters in it are taken over
	vouchers   vouchers          // of tokens that are not ours
	signers    *signers          // each configuration's own: keys are read again with it
	pulls      *pulls
	sessions   session.Settings // of the one store
	history    users.History    // of logins
	keys       shared.Settings  // of tokens
	identities *idp.Set
	logins     *login.Checker // with the directories among identities
}

// next is what c wants of l. Nothing of it is in use yet; when it fails, nothing is left of it.
func (l *longLived) next(c *config.Config) (*lasting, error) {
	old := l.current.Load()
	n := *old
	n.authorizer = authz.NewAuthorizer(c.Authorization.Mode, l.platform)
	n.history = history(c)
	n.limiter(c.Postern.Limits)
	var err error
	if n.signers, err = readSigners(c); err != nil {
		return nil, err
	}
	if n.pulls, err = readPulls(c); err != nil {
		return nil, err
	}
	if n.sessions, err = sessionSettings(c); err != nil {
		return nil, err
	}
	if n.keys, err = TokenKeys(c); err != nil {
		return nil, err
	}
	if err = n.vouchers.follow(l, c); err != nil {
		return nil, err
	}
	if err = n.identitySet(l, c); err != nil {
		return nil, err
	}
	err = n.kubeProxy(l, c.Postern.Kube)
	if err == nil {
		err = n.services.follow(l, c)
	}
	if err == nil {
		err = n.filterSet(l, c) // last: when it fails, the set is still the one before
	}
	if err != nil {
		for _, f := range n.closers(old) {
			f()
		}
		return nil, err
	}
	return &n, nil
}

// use makes n current. What it replaces goes on for those who use it, watches and tunnels above all, and is closed with
// the gateway; connections and watches that nobody uses any more end by their own idle times.
func (l *longLived) use(n *lasting) {
	old := l.current.Swap(n)
	l.retired = append(l.retired, old.closers(n)...)
	l.engine.SetServices(n.services.forModules())
	l.sessions.Configure(n.sessions)
	l.users.SetHistory(n.history)
	l.keys.Configure(n.keys)
}

// closers close what s has and other has not.
func (s *lasting) closers(other *lasting) (all []func()) {
	if s.proxy != nil && s.proxy != other.proxy {
		all = append(all, s.proxy.Close)
	}
	if s.identities != nil && s.identities != other.identities {
		all = append(all, s.identities.Close)
	}
	all = append(all, s.vouchers.closers(&other.vouchers)...)
	if k := s.services.kube; k != nil && k != other.services.kube {
		all = append(all, k.Close)
	}
	if p := s.services.prometheus; p != nil && p != other.services.prometheus {
		all = append(all, p.Close)
	}
	if h := s.services.http; h != nil && h != other.services.http {
		all = append(all, h.Close)
	}
	return all
}

// kubeProxy replaces the stage in front of kube-apiserver if k says something else.
func (s *lasting) kubeProxy(l *longLived, k config.Kube) error {
	if s.proxy != nil && s.proxySays == k {
		return nil
	}
	options := kubeproxy.Options{Config: l.cluster, Identity: kubeproxy.Identity(k.Identity), Group: k.DecidedGroup}
	options.Pool.DialTimeout, options.Pool.HeaderTimeout = k.DialTimeout, k.ResponseHeaderTimeout
	options.Pool.MaxIdle, options.Pool.IdleTimeout = k.MaxIdleConnections, k.IdleTimeout
	proxy, err := kubeproxy.New(options)
	if err != nil {
		return fmt.Errorf("cannot proxy to kube-apiserver: %w", err)
	}
	s.proxy, s.proxySays = proxy, k
	return nil
}

// limiter replaces the stage that counts what is in flight only when there may be more or less of it: what is under way
// is counted by the one it came through.
func (s *lasting) limiter(l config.Limits) {
	want := limit.Options{InFlight: l.MaxRequestsInFlight, LongRunning: l.MaxLongRunning}
	if s.limit == nil || s.limits != want {
		s.limit, s.limits = limit.New(want), want
	}
	s.limit = s.limit.WithBody(int64(l.BodyBytes))
}
