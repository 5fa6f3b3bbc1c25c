package httpcall

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// outside calls servers that no configuration names one by one, only by host: a module gives the whole address. Where a
// name leads is not the module's to decide, nor the gateway's: so addresses are judged when they are dialled, and those of
// private networks are refused unless granted. Redirects are not followed: the module sees them, and asks again.
type outside struct {
	public, private *http.Transport // separate pools: a connection made under one rule never serves the other
}

const (
	outsideHeader = 30 * time.Second // until the head of an answer
	outsideConns  = 16               // to one host; more wait
)

func newOutside() *outside {
	transport := func(control func(network, address string, _ syscall.RawConn) error) *http.Transport {
		return &http.Transport{
			DialContext:         (&net.Dialer{Timeout: dialTimeout, Control: control}).DialContext,
			TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: outsideHeader,
			MaxConnsPerHost: outsideConns, MaxIdleConns: 64, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
			MaxResponseHeaderBytes: 64 << 10,
		}
	}
	return &outside{public: transport(publicOnly), private: transport(nil)}
}

func (o *outside) close() {
	o.public.CloseIdleConnections()
	o.private.CloseIdleConnections()
}

var errPrivate = errors.New("is not a public address: grant privateHosts if it shall be reached")

// publicOnly refuses to connect to what is no address of the internet. It sees what a name was resolved to.
func publicOnly(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if ip := at.Addr().Unmap(); !public(ip) {
		return fmt.Errorf("%s %w", ip, errPrivate)
	}
	return nil
}

// special are ranges that lead somewhere else than to a host of the internet, beside those that netip knows.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
}

func public(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, p := range special {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// do makes one request to an address that the module gives.
func (o *outside) do(ctx context.Context, call *service.Call) service.Result {
	args, err := service.ParseArgs(call, []hostabi.Tag{hostabi.TagURL, hostabi.TagMethod}, []hostabi.Tag{hostabi.TagHeader})
	if err != nil {
		return failed(err)
	}
	target, err := granted(call, args.Get(hostabi.TagURL))
	if err != nil {
		return failed(err)
	}
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, outsideHeader)
		defer cancel()
	}
	req, err := newRequest(ctx, call, args, target.String())
	if err != nil {
		return failed(err)
	}
	req.Header.Del("X-Request-Id") // it is the gateway's and its backends'
	transport := o.public
	if call.Grants.PrivateHosts {
		transport = o.private
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return unreached(ctx, target.Host, err)
	}
	defer resp.Body.Close()
	body, err := service.ReadBody(resp.Body, resp.ContentLength, call.MaxBytes)
	if err != nil {
		return unreached(ctx, target.Host, err)
	}
	return service.Result{Status: resp.StatusCode, Body: body}
}

func unreached(ctx context.Context, host string, err error) service.Result {
	if errors.Is(err, errPrivate) {
		return service.Failf(hostabi.Denied, "host %q: %v", host, errPrivate)
	}
	return service.Broken(ctx, fmt.Sprintf("host %q", host), err)
}

// granted is the address that a call names, if it may.
func granted(call *service.Call, address string) (*url.URL, error) {
	if strings.ContainsFunc(address, odd) {
		return nil, fmt.Errorf("url %.80q is not escaped", address)
	}
	target, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, fmt.Errorf("url %.80q is malformed", address)
	case target.User != nil || target.Opaque != "" || target.Hostname() == "":
		return nil, fmt.Errorf("url %.80q has more or less than scheme, host, path and query", target.Redacted())
	case target.Scheme != "https" && (target.Scheme != "http" || call.Grants == nil || !call.Grants.PrivateHosts):
		return nil, fmt.Errorf("url %.80q is not https", address)
	case call.Grants == nil || !hostGranted(call.Grants.Hosts, strings.ToLower(target.Host)):
		return nil, fmt.Errorf("module %q is not granted host %q: %w", call.Module, target.Host, hostabi.Denied)
	}
	return target, nil
}

// hostGranted says whether a host, with its port if the address has one, is among the granted.
func hostGranted(granted []string, host string) bool {
	for _, g := range granted {
		name, wild := strings.CutPrefix(strings.ToLower(g), "*")
		if host == name || wild && len(host) > len(name) && strings.HasSuffix(host, name) {
			return true
		}
	}
	return false
}

// newRequest makes a call's request.
func newRequest(ctx context.Context, call *service.Call, args service.Args, target string) (*http.Request, error) {
	method := args.Default(hostabi.TagMethod, http.MethodGet)
	if err := checkMethod(method); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(call.Payload()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "postern/"+call.Module)
	for _, line := range args[hostabi.TagHeader] {
		name, value, err := header(line)
		if err != nil {
			return nil, err
		}
		req.Header.Set(name, value)
	}
	if call.RequestID != "" {
		req.Header.Set("X-Request-Id", call.RequestID)
	}
	return req, nil
}
