// Package requestinfo says what a request is about: cluster, workspace, namespace, group, resource, name and verb, from
// its method, path and query alone. What is authorized later is what this package read, so it reads a path exactly as
// kube-apiserver will, and refuses paths that two servers could read differently. No header is believed.
package requestinfo

import (
	"bytes"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
)

// name is the stage's name in findings, logs and metrics.
const name = "requestinfo"

// Stage fills an exchange's Info, or refuses the request with 400. It keeps no state.
type Stage struct{}

var _ exchange.Stage = (*Stage)(nil)

// New makes the stage.
func New() *Stage { return &Stage{} }

// Name is "requestinfo".
func (*Stage) Name() string { return name }

// Serve fills x.Info and passes x on, or answers 400.
func (*Stage) Serve(x *exchange.Exchange, next exchange.Handler) {
	if err := Fill(x); err != nil {
		x.Handled = name
		status.Write(x, status.BadRequest, err.Error())
		return
	}
	next(x)
}

// Explain fills x.Info too: the stages behind explain themselves by it.
func (*Stage) Explain(x *exchange.Exchange) exchange.Finding {
	f := exchange.Finding{Stage: name, Verdict: exchange.Pass}
	if err := Fill(x); err != nil {
		f.Verdict, f.Code, f.Reason = exchange.Refuse, status.BadRequest.Code(), err.Error()
		return f
	}
	f.Reason = describe(&x.Info)
	return f
}

// Fill reads x.Info from x's method and request target as they are now. fasthttp's URI() is left alone: it collapses slashes and resolves
// dot segments, so it is not the path that is sent on.
func Fill(x *exchange.Exchange) (err error) {
	h := &x.HTTP.Request.Header
	path, query, _ := bytes.Cut(h.RequestURI(), []byte("?"))
	x.Info, x.Path, err = Parse(h.Method(), path, query, x.Path[:0])
	return err
}

// describe names what the request is about, in a few words.
func describe(info *exchange.RequestInfo) string {
	if !info.IsResourceRequest {
		return "path " + info.Path + ", no resource"
	}
	what := info.Resource
	if info.APIGroup != "" {
		what += "." + info.APIGroup
	}
	if info.Subresource != "" {
		what += "/" + info.Subresource
	}
	return info.Verb + " " + what + " in scope " + info.Scope.String()
}
