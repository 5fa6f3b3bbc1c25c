package core

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
)

// ownPaths are what `/` lists besides the module groups: the gateway's endpoints, and the roots of what it passes on to
// kube-apiserver.
var ownPaths = []string{
	"/api", "/apis", "/healthz", "/kapis", "/kapis/version", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version",
}

// alive answers as long as the process does.
func alive(x *exchange.Exchange) { writeText(x, "ok") }

// ready says no more than yes or no: everybody may ask. The admin listener has the reasons.
func (s *Stage) ready(x *exchange.Exchange) {
	if s.o.Ready != nil {
		if err := s.o.Ready(); err != nil {
			status.Write(x, status.ServiceUnavailable, "not ready")
			x.Reason = err.Error()
			return
		}
	}
	writeText(x, "ok")
}

// version is the gateway's version, and Kubernetes' within.
func (s *Stage) version(x *exchange.Exchange) {
	v := Build()
	if s.o.Kubernetes != nil {
		v.Kubernetes = s.o.Kubernetes()
	}
	writeJSON(x, v)
}

// root lists every path, kapis those below it: as kube-apiserver answers `/`.
func (s *Stage) root(x *exchange.Exchange)  { writePaths(x, append(s.groups(), ownPaths...)) }
func (s *Stage) kapis(x *exchange.Exchange) { writePaths(x, append(s.groups(), "/kapis/version")) }

// groups are the paths of the groups served below /kapis.
func (s *Stage) groups() (paths []string) {
	if s.o.Groups == nil {
		return nil
	}
	for _, g := range s.o.Groups() {
		paths = append(paths, "/kapis/"+strings.TrimSuffix(g, "/"))
	}
	return paths
}

func writePaths(x *exchange.Exchange, paths []string) {
	slices.Sort(paths)
	writeJSON(x, struct {
		Paths []string `json:"paths"`
	}{slices.Compact(paths)})
}

func writeText(x *exchange.Exchange, text string) {
	x.HTTP.SetContentType("text/plain; charset=utf-8")
	x.HTTP.SetBodyString(text)
}

func writeJSON(x *exchange.Exchange, v any) {
	body, err := json.Marshal(v)
	if err != nil { // Options.Kubernetes gave no JSON
		status.Write(x, status.InternalError, "cannot encode the answer")
		x.Reason = err.Error()
		return
	}
	x.HTTP.SetContentType("application/json")
	x.HTTP.SetBody(append(body, '\n'))
}
