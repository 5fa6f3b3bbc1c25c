// Package kube lets modules reach Kubernetes: get, list, create, update, patch and delete of any resource, as the
// module (the gateway's own credential, within what was granted) or as the caller (granted and allowed to that user),
// and reads out of a cache that a watch feeds. Objects are raw JSON throughout, nothing is decoded into types.
package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"k8s.io/client-go/rest"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// Identity is as whom kube-apiserver sees a call made for a caller. It is the configuration's postern.kube.identity.
type Identity string

// The identities; Impersonate is the default.
const (
	Impersonate Identity = "impersonate" // the user's name and DecidedGroup
	Strict      Identity = "strict"      // the user's name, uid, groups and extra: Kubernetes decides again
	Plain       Identity = "plain"       // the gateway's own credential
)

// Options configure a Service.
type Options struct {
	// Config is the way to kube-apiserver with the gateway's credential; required. It is copied.
	Config *rest.Config
	// Authorize decides whether a user may do what is asked, as it does for requests that come in; required for calls as
	// the caller, which are denied without it. It must not keep info.
	Authorize func(user *exchange.User, info *exchange.RequestInfo) exchange.Decision
	// Identity defaults to Impersonate, DecidedGroup to postern:decided.
	Identity     Identity
	DecidedGroup string
	// Timeout bounds a call whose context has no deadline. Default 30 s.
	Timeout time.Duration
	// Written returns when the gateway itself goes by what was written, so that whoever is answered may rely on it: a new
	// password is good, a role taken away is gone. It is given a second at most. May be nil.
	Written func(ctx context.Context, group, resource, version string)
	// Cache bounds the watch-fed cache.
	Cache CacheOptions
}

// Service implements service.Service for Kubernetes. Close ends its watches.
type Service struct {
	opt    Options
	base   *url.URL
	client *http.Client
	cache  *cache
}

var _ service.Service = (*Service)(nil)

// New makes a Service. It connects to nothing yet.
func New(opt Options) (*Service, error) {
	if opt.Config == nil {
		return nil, errors.New("cannot make the kube service: no client configuration")
	}
	switch opt.Identity {
	case "":
		opt.Identity = Impersonate
	case Impersonate, Strict, Plain:
	default:
		return nil, fmt.Errorf("cannot make the kube service: identity %q is not one of impersonate, strict, plain", opt.Identity)
	}
	if opt.DecidedGroup == "" {
		opt.DecidedGroup = "postern:decided"
	}
	if opt.Timeout <= 0 {
		opt.Timeout = 30 * time.Second
	}
	opt.Cache.setDefaults()
	config := rest.CopyConfig(opt.Config)
	config.Timeout = 0 // each request has its context's deadline; watches have none
	config.Impersonate = rest.ImpersonationConfig{}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("cannot make a client for kube-apiserver: %w", err)
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("cannot use kube-apiserver's address %q: %w", config.Host, err)
	}
	if base.Path == "" {
		base.Path = "/" // or JoinPath's results have no slash in front
	}
	s := &Service{opt: opt, base: base, client: client}
	s.cache = newCache(s, opt.Cache)
	return s, nil
}

// Do implements service.Service.
func (s *Service) Do(ctx context.Context, call *service.Call) service.Result {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	req, header, failed := s.check(call)
	if failed != nil {
		return *failed
	}
	if req.cached {
		if result, ok := s.cache.answer(ctx, req, call.MaxBytes); ok {
			return result
		}
	}
	return s.live(ctx, call, req, header)
}

// limit gives a call a deadline that has none.
func (s *Service) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, limited := ctx.Deadline(); limited {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, s.opt.Timeout)
}

// check reads a call and says why it may not be, or the header that it is sent with.
func (s *Service) check(call *service.Call) (*request, http.Header, *service.Result) {
	req, err := s.parse(call)
	if err != nil {
		r := service.Failf(hostabi.BadArgument, "%v", err)
		return nil, nil, &r
	}
	if !granted(call.Grants, &req.info) {
		return nil, nil, denied("module " + strconv.Quote(call.Module) + " is not granted " + describe(&req.info))
	}
	header := http.Header{}
	if !req.asCaller {
		return req, header, nil
	}
	return req, header, s.allow(call.Caller, req, header)
}

// Close ends the watches and waits for them.
func (s *Service) Close() {
	s.cache.close()
	s.client.CloseIdleConnections()
}
