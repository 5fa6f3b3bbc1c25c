// Package core is the end of the chain: the gateway's own few endpoints, and the answer to whatever nobody else knows.
package core

import (
	"strings"

	"github.com/fasthttp/router"
	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
)

// name is the stage's name in findings, logs and metrics.
const name = "core"

// notFound is Kubernetes' message, which kubectl and client-go users know.
const notFound = "the server could not find the requested resource"

// notAllowed is Kubernetes' message, too.
const notAllowed = "the server does not allow this method on the requested resource"

// Options of the stage; each may be nil. The functions are called per request and must neither block nor call a backend.
type Options struct {
	// Ready is an error as long as requests should go elsewhere; nil: always ready.
	Ready func() error
	// Groups are the "group/version" pairs served below /kapis; a pair without version stands for the group.
	Groups func() []string
	// Kubernetes is kube-apiserver's version, as the JSON object it answers to /version; empty while unknown.
	Kubernetes func() []byte
}

// Stage answers every request that reaches it.
type Stage struct {
	o      Options
	router *router.Router
}

var _ exchange.Stage = (*Stage)(nil)

// New makes the stage.
func New(o Options) *Stage {
	s := &Stage{o: o, router: router.New()}
	s.get("/", s.root)
	s.get("/kapis", s.kapis)
	s.get("/kapis/version", s.version)
	s.get("/healthz", alive)
	s.get("/livez", alive)
	s.get("/readyz", s.ready)
	return s
}

// get has e answer GET and HEAD of path.
func (s *Stage) get(path string, e endpoint) {
	s.router.GET(path, e.handle)
	s.router.HEAD(path, e.handle)
}

// endpoint answers an exchange; the router's handlers know its request alone, so that carries it.
type endpoint func(x *exchange.Exchange)

// key is where a request carries its exchange.
type key struct{}

func (e endpoint) handle(ctx *fasthttp.RequestCtx) { e(ctx.UserValue(key{}).(*exchange.Exchange)) }

// Name is "core".
func (*Stage) Name() string { return name }

// Serve answers x; next is never called.
func (s *Stage) Serve(x *exchange.Exchange, _ exchange.Handler) {
	x.Handled = name
	h, reason := s.find(x)
	switch reason {
	case status.NotFound:
		status.Write(x, reason, notFound)
	case status.MethodNotAllowed:
		x.HTTP.Response.Header.Set("Allow", "GET, HEAD")
		status.Write(x, reason, notAllowed)
	default:
		x.HTTP.SetUserValue(key{}, x)
		h(x.HTTP)
	}
}

// Explain says which endpoint answers, or what is wrong.
func (s *Stage) Explain(x *exchange.Exchange) exchange.Finding {
	_, reason := s.find(x)
	switch reason {
	case status.NotFound:
		return exchange.Finding{Stage: name, Verdict: exchange.Refuse, Code: reason.Code(), Reason: notFound}
	case status.MethodNotAllowed:
		return exchange.Finding{Stage: name, Verdict: exchange.Refuse, Code: reason.Code(), Reason: notAllowed}
	}
	return exchange.Finding{Stage: name, Verdict: exchange.Answer, Reason: "the gateway answers " + hostPath(&x.Info)}
}

// find is the endpoint that x asks for, or why there is none. The router is only asked: left alone it would redirect to
// paths that look alike.
func (s *Stage) find(x *exchange.Exchange) (fasthttp.RequestHandler, status.Reason) {
	path := hostPath(&x.Info)
	method := string(x.HTTP.Method())
	if h, _ := s.router.Lookup(method, path, x.HTTP); h != nil {
		return h, ""
	}
	if h, _ := s.router.Lookup(fasthttp.MethodGet, path, x.HTTP); h != nil {
		return nil, status.MethodNotAllowed
	}
	return nil, status.NotFound
}

// hostPath is the path without `clusters/{c}`: what comes this far is for the host. The slash that ends a list's path makes
// no difference.
func hostPath(info *exchange.RequestInfo) string {
	if info.Path == "/kapis/" {
		return "/kapis"
	}
	if info.Cluster == "" {
		return info.Path
	}
	rest := strings.TrimPrefix(info.Path, "/"+info.APIPrefix+"/clusters/"+info.Cluster)
	return "/" + info.APIPrefix + rest
}
