// Package kubeproxy is the stage that hands Kubernetes' own API to kube-apiserver: same request, another identity. The
// user's credentials stay here; the user's name goes on by impersonation.
package kubeproxy

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
	"github.com/posternhq/postern/gateway/upstream"
)

// Options configure a Stage.
type Options struct {
	// Config names kube-apiserver and holds the gateway's credential: client certificate, token, token file (read
	// again every minute: bound tokens rotate) or basic. Exec and auth-provider plug-ins are refused.
	Config *rest.Config
	// Identity is impersonate (the default), strict or plain: see Identity.
	Identity Identity
	// Group is the group that impersonate sends. Default postern:decided. Whoever has it may do anything.
	Group string
	// Pool bounds and times the connections; Addr, Host and TLS are filled in.
	Pool upstream.Options
}

// Stage is the chain's link to kube-apiserver.
type Stage struct {
	pool     *upstream.Pool
	prefix   string
	target   string
	identity identity
	creds    *credentials
}

var _ exchange.Stage = (*Stage)(nil)

// drop is what never goes upstream: every credential of the user, and every header by which kube-apiserver, or one that
// aggregates behind it, is told who asks. Where a request came from is told anew.
var drop = upstream.NewNames(
	"authorization", "cookie", "impersonate-*", "x-remote-*", "x-kubesphere-*", "x-forwarded-*", "forwarded",
	"x-real-ip", "x-client-ip", "x-request-id", "x-original-*", "sec-websocket-protocol", "ssl-client-*", "x-ssl-client-*",
	"x-client-cert*",
)

// upgrades are the protocols of exec, attach and port-forward. Another, h2c above all, would let a client speak to
// kube-apiserver as the gateway.
var upgrades = []string{"websocket", "spdy/3.1"}

// New makes the stage. It opens no connection yet.
func New(opt Options) (*Stage, error) {
	if opt.Config == nil {
		return nil, errors.New("cannot proxy to kube-apiserver: no rest config")
	}
	t, err := targetOf(opt.Config)
	if err != nil {
		return nil, fmt.Errorf("cannot proxy to %q: %w", opt.Config.Host, err)
	}
	creds, err := newCredentials(opt.Config)
	if err != nil {
		return nil, fmt.Errorf("cannot proxy to %q: %w", opt.Config.Host, err)
	}
	id, err := newIdentity(opt.Identity, opt.Group)
	if err != nil {
		return nil, err
	}
	opt.Pool.Addr, opt.Pool.Host, opt.Pool.TLS = t.addr, t.host, t.tls
	return &Stage{pool: upstream.New(opt.Pool), prefix: t.prefix, target: t.String(), identity: id, creds: creds}, nil
}

// Name implements exchange.Stage.
func (*Stage) Name() string { return "kubeproxy" }

// Close closes the connections to kube-apiserver, those of watches and tunnels too.
func (s *Stage) Close() { s.pool.Close() }

// Stats are the connection pool's counters.
func (s *Stage) Stats() upstream.Stats { return s.pool.Stats() }

// mine says whether kube-apiserver answers x: what it calls an API, and the paths by which clients find out about it.
func mine(info *exchange.RequestInfo) bool {
	if info.IsKubernetesRequest {
		return true
	}
	switch p := info.Path; p {
	case "/version", "/version/", "/api", "/api/", "/apis", "/apis/":
		return true
	default:
		return strings.HasPrefix(p, "/openapi/")
	}
}

// lines are header lines being made; pooled, since each request needs some.
type lines struct{ b []byte }

var linePool = sync.Pool{New: func() any { return new(lines) }}

// Serve forwards what is kube-apiserver's.
func (s *Stage) Serve(x *exchange.Exchange, next exchange.Handler) {
	if !mine(&x.Info) {
		next(x)
		return
	}
	x.Handled = s.Name()
	add := linePool.Get().(*lines)
	defer linePool.Put(add)
	var err error
	if add.b, err = s.headers(add.b[:0], x); err != nil {
		status.Write(x, status.InternalError, err.Error())
		return
	}
	err = s.pool.Forward(x, upstream.Request{
		Prefix: s.prefix, Drop: drop, Rewrite: withoutTokens, Add: add.b, Upgrades: upgrades, LongRunning: x.Info.LongRunning(),
	})
	if err != nil {
		refuse(x, err)
		return
	}
	if x.HTTP.Response.StatusCode() == 401 {
		s.unauthorized(x)
	}
}

// unauthorized makes a 401 of kube-apiserver a 502: what it has refused is the gateway's credential, and no new login
// of the user would help. A 401 too long to have come at once with its head, which Kubernetes does not send, goes on.
func (s *Stage) unauthorized(x *exchange.Exchange) {
	s.creds.suspect()
	if !x.HTTP.Response.IsBodyStream() {
		status.Write(x, status.BadGateway, "kube-apiserver does not accept the gateway's credential")
	}
}

// headers appends what kube-apiserver is told beyond the client's own headers.
func (s *Stage) headers(b []byte, x *exchange.Exchange) ([]byte, error) {
	b = append(b, s.creds.header(x.Received)...)
	b, err := s.identity.append(b, x.User)
	if err != nil {
		return b, err
	}
	return appendClient(b, x), nil
}

// refuse writes the answer that goes with a failure to reach kube-apiserver. Where that is, the log says.
func refuse(x *exchange.Exchange, err error) {
	reason, text := status.BadGateway, "kube-apiserver cannot be reached"
	var e *upstream.Error
	if errors.As(err, &e) {
		switch e.Kind {
		case upstream.KindMalformed:
			text = "kube-apiserver's answer is malformed"
		case upstream.KindTimeout:
			reason, text = status.Timeout, "kube-apiserver did not answer in time"
		case upstream.KindExhausted:
			reason, text = status.ServiceUnavailable, "too many requests to kube-apiserver are under way"
			x.HTTP.Response.Header.Set("Retry-After", "1")
		case upstream.KindRequest:
			reason, text = status.BadRequest, "the request cannot be forwarded: "+e.Err.Error()
		case upstream.KindTooLarge:
			reason, text = status.RequestEntityTooLarge, e.Err.Error()
		case upstream.KindCanceled: // nobody reads this, unless it is a watch that the gateway's shutdown ends
			reason, text = status.ServiceUnavailable, "the request was given up"
			x.HTTP.Response.SetConnectionClose()
		}
	}
	status.Write(x, reason, text)
	x.Reason = err.Error()
}

// Explain implements exchange.Stage.
func (s *Stage) Explain(x *exchange.Exchange) exchange.Finding {
	f := exchange.Finding{Stage: s.Name(), Verdict: exchange.Pass, Reason: "not an API of kube-apiserver"}
	if !mine(&x.Info) {
		return f
	}
	f.Details = map[string]any{
		"target": s.target, "identity": string(s.identity.mode), "credential": s.creds.kind,
		"longRunning": x.Info.LongRunning(),
	}
	if x.User == nil { // of an explanation that names nobody; a request has somebody by now, if only system:anonymous
		f.Verdict, f.Reason = exchange.Answer, "forwarded to kube-apiserver, in the name of who asks"
		return f
	}
	b, err := s.identity.append(nil, x.User)
	if err != nil {
		f.Verdict, f.Code, f.Reason = exchange.Refuse, status.InternalError.Code(), err.Error()
		return f
	}
	f.Verdict, f.Reason = exchange.Answer, "forwarded to kube-apiserver"
	if h := strings.Split(strings.TrimSpace(string(b)), "\r\n"); h[0] != "" {
		f.Details["headers"] = h
	}
	return f
}

// reread is how old a token read from a file may be: Kubernetes rotates a bound token at 80 % of an hour or more.
const reread = time.Minute
