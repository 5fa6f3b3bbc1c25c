// Package prometheus lets modules ask Prometheus, or whatever speaks its HTTP API v1 (Thanos, Mimir, VictoriaMetrics).
// Modules get the data member of an answer, raw.
package prometheus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// Options configure a Service. Zero values mean the defaults named here.
type Options struct {
	// Endpoint is the base URL, with a path if Prometheus has one; required.
	Endpoint string
	// TLS is for https endpoints; nil: the system's roots.
	TLS *tls.Config
	// Timeout bounds a query whose context has no deadline. Default 30 s.
	Timeout time.Duration
	// DialTimeout bounds TCP connect, and TLS handshake. Default 5 s.
	DialTimeout time.Duration
	// MaxConns bounds connections; queries beyond wait for one. They stay open: a page of the console is 50 queries at
	// once. Default 128.
	MaxConns int
}

// Service implements service.Service for Prometheus.
type Service struct {
	base      *url.URL
	timeout   time.Duration
	transport *http.Transport
}

var _ service.Service = (*Service)(nil)

// New makes a Service. It connects to nothing yet.
func New(opt Options) (*Service, error) {
	base, err := url.Parse(opt.Endpoint)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("cannot use %q as Prometheus' endpoint: not an http or https URL", opt.Endpoint)
	}
	base.RawQuery, base.Fragment = "", ""
	if base.Path == "" {
		base.Path = "/"
	}
	if opt.Timeout <= 0 {
		opt.Timeout = 30 * time.Second
	}
	if opt.DialTimeout <= 0 {
		opt.DialTimeout = 5 * time.Second
	}
	if opt.MaxConns <= 0 {
		opt.MaxConns = 128
	}
	return &Service{base: base, timeout: opt.Timeout, transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: opt.DialTimeout}).DialContext,
		TLSClientConfig:     opt.TLS,
		TLSHandshakeTimeout: opt.DialTimeout,
		MaxConnsPerHost:     opt.MaxConns,
		MaxIdleConnsPerHost: opt.MaxConns,
		IdleConnTimeout:     90 * time.Second,
	}}, nil
}

// Close closes the connections that are not in use.
func (s *Service) Close() { s.transport.CloseIdleConnections() }

// Do implements service.Service.
func (s *Service) Do(ctx context.Context, call *service.Call) service.Result {
	if call.Grants == nil || !call.Grants.Prometheus {
		return service.Failf(hostabi.Denied, "module %q is not granted Prometheus", call.Module)
	}
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	q, err := parse(call)
	if err != nil {
		return service.Failf(hostabi.BadArgument, "%v", err)
	}
	req, err := s.request(ctx, q)
	if err != nil {
		return service.Failf(hostabi.BadArgument, "cannot make the request: %v", err)
	}
	req.Header.Set("User-Agent", "postern/"+call.Module)
	if call.RequestID != "" {
		req.Header.Set("X-Request-Id", call.RequestID)
	}
	// The transport, not a client: redirects are not followed.
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return service.Broken(ctx, backend, err)
	}
	defer resp.Body.Close()
	body, err := service.ReadBody(resp.Body, resp.ContentLength, call.MaxBytes)
	switch {
	case errors.Is(err, hostabi.TooLarge) && resp.StatusCode >= 300:
		return outcome(ctx, resp.StatusCode, nil)
	case err != nil:
		return service.Broken(ctx, backend, err)
	}
	return outcome(ctx, resp.StatusCode, body)
}

const (
	backend = "Prometheus"
	// maxURL is the length of a query, bytes, from which on it is sent as a form: servers and proxies take URLs of
	// 8 KiB, some less.
	maxURL = 2 << 10
)

// request makes the HTTP request.
func (s *Service) request(ctx context.Context, q *query) (*http.Request, error) {
	u := s.base.JoinPath("api", "v1", q.path)
	if q.evaluates {
		if end, ok := ctx.Deadline(); ok { // so that Prometheus, too, gives up then
			// As a number of seconds: its durations have no fractions, and are not Go's.
			left := max(time.Until(end), time.Millisecond)
			q.form.Set("timeout", strconv.FormatFloat(left.Seconds(), 'f', 3, 64))
		}
	}
	form := q.form.Encode()
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if q.takesForm && len(form) > maxURL {
		method, body = http.MethodPost, strings.NewReader(form)
	} else {
		u.RawQuery = form
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err == nil && method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req, err
}
