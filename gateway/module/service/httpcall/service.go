// Package httpcall lets modules reach plain HTTP servers that the configuration names: with a call whose answer they get,
// or by handing a whole exchange on; and hosts of the internet that it grants.
package httpcall

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/gateway/upstream"
	"github.com/posternhq/postern/hostabi"
)

// Backend is an HTTP server that modules may be granted.
type Backend struct {
	// URL is http or https with a host. Its path is kept: what modules ask for is below it.
	URL string
	// Timeout is until the head of a response. Default 30 s.
	Timeout time.Duration
	// TLS is for https; nil: the system's roots.
	TLS *tls.Config
}

// Service implements service.Service for HTTP, and Forward. Its backends are those it was made with.
type Service struct {
	backends map[string]*backend
	outside  *outside
}

var _ service.Service = (*Service)(nil)

// backend is one server with its connections: calls and forwarded exchanges have pools of their own.
type backend struct {
	name    string
	base    *url.URL
	prefix  string // the base's path as it is sent, without a slash at its end
	timeout time.Duration
	calls   *http.Transport
	pool    *upstream.Pool
}

const (
	dialTimeout = 5 * time.Second // TCP connect, and TLS handshake
	maxConns    = 256             // to one backend, for calls; more wait. Forwarded exchanges: upstream's own default
)

// New makes a Service of backends by name. It connects to nothing yet.
func New(backends map[string]Backend) (*Service, error) {
	s := &Service{backends: make(map[string]*backend, len(backends)), outside: newOutside()}
	for name, opt := range backends {
		b, err := newBackend(name, opt)
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("cannot use backend %q: %w", name, err)
		}
		s.backends[name] = b
	}
	return s, nil
}

func newBackend(name string, opt Backend) (*backend, error) {
	base, err := url.Parse(opt.URL)
	switch {
	case err != nil:
		return nil, err
	case base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "":
		return nil, fmt.Errorf("%q is not an http or https URL", opt.URL)
	case base.RawQuery != "" || base.Fragment != "" || base.User != nil:
		return nil, fmt.Errorf("%q has more than scheme, host and path", base.Redacted())
	}
	prefix := strings.TrimRight(base.EscapedPath(), "/")
	if err := checkPath(prefix); err != nil {
		return nil, err
	}
	if opt.Timeout <= 0 {
		opt.Timeout = 30 * time.Second
	}
	port := base.Port()
	pool := upstream.Options{Host: base.Host, DialTimeout: dialTimeout, HeaderTimeout: opt.Timeout}
	if base.Scheme == "https" {
		if pool.TLS = opt.TLS; pool.TLS == nil {
			pool.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[base.Scheme]
	}
	pool.Addr = net.JoinHostPort(base.Hostname(), port)
	return &backend{
		name: name, base: base, prefix: prefix, timeout: opt.Timeout, pool: upstream.New(pool),
		calls: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSClientConfig:       opt.TLS,
			TLSHandshakeTimeout:   dialTimeout,
			ResponseHeaderTimeout: opt.Timeout,
			MaxConnsPerHost:       maxConns,
			MaxIdleConnsPerHost:   64,
			IdleConnTimeout:       90 * time.Second,
		},
	}, nil
}

// Close closes connections; forwarded exchanges that are under way break off.
func (s *Service) Close() {
	s.outside.close()
	for _, b := range s.backends {
		b.calls.CloseIdleConnections()
		b.pool.Close()
	}
}

// backend is the one a call names, if it may.
func (s *Service) backend(call *service.Call) (*backend, error) {
	name := string(call.Record.Get(hostabi.TagBackend))
	if call.Grants == nil || !slices.Contains(call.Grants.HTTP, name) {
		return nil, fmt.Errorf("module %q is not granted backend %q: %w", call.Module, name, hostabi.Denied)
	}
	b := s.backends[name]
	if b == nil {
		return nil, fmt.Errorf("there is no backend %q: %w", name, hostabi.NotFound)
	}
	return b, nil
}

// failed is a result for an error, which wraps its code if it has one other than BadArgument.
func failed(err error) service.Result {
	code := hostabi.BadArgument
	_ = errors.As(err, &code)
	return service.Failf(code, "%v", err)
}

var callTags = []hostabi.Tag{hostabi.TagBackend, hostabi.TagMethod, hostabi.TagPath}

// Do implements service.Service: one request, and its whole answer, whatever its status is.
func (s *Service) Do(ctx context.Context, call *service.Call) service.Result {
	if call.Record.Get(hostabi.TagURL) != nil {
		return s.outside.do(ctx, call)
	}
	b, err := s.backend(call)
	if err != nil {
		return failed(err)
	}
	args, err := service.ParseArgs(call, callTags, []hostabi.Tag{hostabi.TagHeader})
	if err != nil {
		return failed(err)
	}
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, b.timeout)
		defer cancel()
	}
	req, err := b.request(ctx, call, args)
	if err != nil {
		return failed(err)
	}
	resp, err := b.calls.RoundTrip(req) // not a client: redirects are not followed
	if err != nil {
		return b.broken(ctx, err)
	}
	defer resp.Body.Close()
	body, err := service.ReadBody(resp.Body, resp.ContentLength, call.MaxBytes)
	if err != nil {
		return b.broken(ctx, err)
	}
	return service.Result{Status: resp.StatusCode, Body: body}
}

// request makes a call's HTTP request.
func (b *backend) request(ctx context.Context, call *service.Call, args service.Args) (*http.Request, error) {
	target, err := b.target(args.Get(hostabi.TagPath))
	if err != nil {
		return nil, err
	}
	return newRequest(ctx, call, args, b.base.Scheme+"://"+b.base.Host+target)
}

// broken is the result of a call without an answer.
func (b *backend) broken(ctx context.Context, err error) service.Result {
	var slow net.Error
	if errors.As(err, &slow) && slow.Timeout() && ctx.Err() == nil {
		return service.Failf(hostabi.Deadline, "backend %q did not answer in time: %v", b.name, err)
	}
	return service.Broken(ctx, fmt.Sprintf("backend %q", b.name), err)
}
