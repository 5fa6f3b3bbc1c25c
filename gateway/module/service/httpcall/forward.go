package httpcall

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/gateway/upstream"
	"github.com/posternhq/postern/hostabi"
)

var forwardTags = []hostabi.Tag{hostabi.TagBackend, hostabi.TagMethod, hostabi.TagPath}

// stays are the request headers that never reach a backend: the user's credentials, what the client says of who it is
// or where it comes from, and its request id, whose place the gateway's own takes.
var stays = []string{
	"authorization", "cookie", "x-remote-*", "x-kubesphere-*", "impersonate-*", "forwarded", "x-forwarded-*", "x-real-ip",
	"x-request-id", "sec-websocket-protocol",
}

// upgrades are the protocols that a forwarded exchange may switch to.
var upgrades = []string{"websocket", "spdy/3.1"}

// Forward hands x on to the backend that the call names, and its answer back, streaming both ways; path, method and
// headers are those of the call's record. When the result's code is OK, x has been answered, or its answer is on its way;
// otherwise nothing of x has been answered. It runs on x's own goroutine.
func (s *Service) Forward(x *exchange.Exchange, call *service.Call) service.Result {
	b, err := s.backend(call)
	if err != nil {
		return failed(err)
	}
	args, err := service.ParseArgs(call, forwardTags, []hostabi.Tag{hostabi.TagHeader, hostabi.TagDropHeader})
	if err != nil {
		return failed(err)
	}
	if len(args[hostabi.TagBody])+len(args[hostabi.TagBodyHandle]) > 0 {
		return service.Failf(hostabi.BadArgument, "a forwarded exchange keeps its own body")
	}
	req, err := b.forwarded(x, args)
	if err != nil {
		return failed(err)
	}
	if err := b.pool.Forward(x, *req); err != nil {
		return b.refused(err)
	}
	return service.Result{Status: x.HTTP.Response.StatusCode()}
}

// forwarded says how x goes on.
func (b *backend) forwarded(x *exchange.Exchange, args service.Args) (*upstream.Request, error) {
	req := &upstream.Request{Upgrades: upgrades, LongRunning: x.Info.LongRunning(), Rewrite: withoutTokens}
	var err error
	if req.Target, err = b.target(args.Get(hostabi.TagPath)); err != nil {
		return nil, err
	}
	if method := args.Get(hostabi.TagMethod); method != "" {
		if err := checkMethod(method); err != nil {
			return nil, err
		}
		if (method == http.MethodHead) != x.HTTP.Request.Header.IsHead() {
			return nil, fmt.Errorf("method %q cannot stand for %q", method, x.HTTP.Request.Header.Method())
		}
		req.Method = method
	}
	drop := stays
	for _, name := range args[hostabi.TagDropHeader] {
		if !httpguts.ValidHeaderFieldName(name) {
			return nil, fmt.Errorf("%.80q is not the name of a header", name)
		}
		drop = append(drop[:len(drop):len(drop)], strings.ToLower(name))
	}
	for _, line := range args[hostabi.TagHeader] {
		name, value, err := header(line)
		if err != nil {
			return nil, err
		}
		drop = append(drop[:len(drop):len(drop)], strings.ToLower(name))
		if req.Add, err = upstream.AppendHeader(req.Add, name, value); err != nil {
			return nil, err
		}
	}
	if slices.Contains(drop[len(stays):], "sec-websocket-protocol") {
		req.Rewrite = nil
	}
	req.Drop = upstream.NewNames(drop...)
	if req.Add, err = upstream.AppendHeader(req.Add, "X-Request-Id", x.ID); err != nil {
		return nil, err
	}
	return req, nil
}

// refused is the result of an exchange that could not be handed on.
func (b *backend) refused(err error) service.Result {
	code := hostabi.Unavailable
	var e *upstream.Error
	if errors.As(err, &e) {
		switch e.Kind {
		case upstream.KindTimeout:
			code = hostabi.Deadline
		case upstream.KindCanceled:
			code = hostabi.Canceled
		case upstream.KindRequest:
			code = hostabi.BadArgument
		case upstream.KindTooLarge:
			code = hostabi.TooLarge
		}
	}
	return service.Failf(code, "backend %q: %v", b.name, err)
}

// bearer begins a WebSocket subprotocol that is Kubernetes' way to send a token from a browser.
const bearer = "base64url.bearer.authorization.k8s.io."

// withoutTokens appends the Sec-WebSocket-Protocol header, which is held back for it, without the user's token.
func withoutTokens(b, name, value []byte) []byte {
	if !strings.EqualFold(string(name), "sec-websocket-protocol") {
		return b
	}
	var kept [][]byte
	for p := range bytes.SplitSeq(value, []byte{','}) {
		p = bytes.TrimSpace(p)
		if len(p) > 0 && (len(p) < len(bearer) || !strings.EqualFold(string(p[:len(bearer)]), bearer)) {
			kept = append(kept, p)
		}
	}
	if len(kept) == 0 {
		return b
	}
	b = append(append(b, name...), ": "...)
	return append(append(b, bytes.Join(kept, []byte(", "))...), '\r', '\n')
}
