package visible

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
)

// caller is who asks, and how, as far as kube-apiserver is told in each of the questions that one request becomes. It has
// strings of its own: questions are asked by other goroutines than the request's.
type caller struct {
	user      *exchange.User
	info      exchange.RequestInfo
	id        string
	address   netip.Addr
	userAgent string
	accept    string
}

func callerOf(x *exchange.Exchange) caller {
	info := x.Info.Clone()
	info.Workspace, info.Scope = "", exchange.ScopeCluster
	info.Scope = exchange.ScopeOf(&info)
	return caller{
		user: x.User, info: info, id: strings.Clone(x.ID), address: x.Client(),
		userAgent: string(x.HTTP.Request.Header.UserAgent()),
	}
}

// answer is kube-apiserver's to one question.
type answer struct {
	code        int
	contentType string
	retryAfter  string
	body        io.Reader
}

// ask sends GET target to kube-apiserver in the caller's name and has consume read the answer; its error, or none, is
// ask's. When ctx ends the question is given up, and what consume reads breaks off. A failure to reach kube-apiserver is an
// answer, too: 502, 503 or 504 with a Status.
func (s *Stage) ask(ctx context.Context, c *caller, target string, consume func(a *answer) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.metrics.asked()
	http, peer := new(fasthttp.RequestCtx), new(exchange.Peer)
	h := &http.Request.Header
	h.SetMethod(fasthttp.MethodGet)
	h.SetRequestURI(target)
	if c.accept != "" {
		h.Set("Accept", c.accept)
	}
	if c.userAgent != "" {
		h.SetUserAgent(c.userAgent)
	}
	if c.address.IsValid() {
		http.SetRemoteAddr(net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.address, 0)))
	}
	stop := context.AfterFunc(ctx, peer.Hangup)
	defer stop()
	exchange.Run(http, peer, time.Now(), func(x *exchange.Exchange) {
		x.ID, x.User, x.Info = c.id, c.user, c.info
		x.HeadersChanged()
		s.o.Upstream(x)
		resp := &http.Response
		a := &answer{
			code: resp.StatusCode(), contentType: string(resp.Header.ContentType()),
			retryAfter: string(resp.Header.Peek("Retry-After")),
		}
		if body, _ := x.TakeStream(); body != nil {
			defer func() { _ = body.Close() }()
			a.body = body
		} else {
			a.body = bytes.NewReader(resp.Body())
		}
		err = consume(a)
	})
	if ended := context.Cause(ctx); ended != nil && err != nil {
		return ended
	}
	return err
}

// guard makes a panic of f an error: f runs in a goroutine of ours, where a panic would end the process.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic while answering: %v\n%s", r, debug.Stack())
		}
	}()
	return f()
}
