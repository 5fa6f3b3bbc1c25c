package trial

import (
	"strings"
	"sync/atomic"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
)

// asker is the stage that says who asks: the user that Impersonate-User and Impersonate-Group name, else the trial's. On
// loopback, in front of nothing that is not the author's own, everybody may be anybody.
type asker struct{ user *exchange.User }

// maxID bounds a request id that a client gives, bytes.
const maxID = 64

// Name is "asker".
func (asker) Name() string { return "asker" }

// Serve names the user and passes on; the module sees the request without the headers, as behind a real gateway.
func (s asker) Serve(x *exchange.Exchange, next exchange.Handler) {
	x.User = s.user
	header := &x.HTTP.Request.Header
	if id := header.Peek("X-Request-Id"); len(id) > 0 && len(id) <= maxID {
		x.ID = string(id)
	}
	if name := header.Peek("Impersonate-User"); len(name) > 0 {
		user := &exchange.User{Name: string(name)}
		for _, group := range header.PeekAll("Impersonate-Group") {
			user.Groups = append(user.Groups, string(group))
		}
		x.User = user
	}
	for _, name := range []string{"Impersonate-User", "Impersonate-Group", "Authorization"} {
		header.Del(name)
	}
	next(x)
}

// Explain names who asks by default.
func (s asker) Explain(*exchange.Exchange) exchange.Finding {
	return exchange.Finding{Stage: s.Name(), Verdict: exchange.Pass, Reason: "asked by " + s.user.Name}
}

// only is the stage that has the one module answer what it serves.
type only struct {
	serving *atomic.Pointer[module.Generation]
}

// Name is "module".
func (only) Name() string { return "module" }

// Serve has the module answer, or passes on what it does not serve.
func (s only) Serve(x *exchange.Exchange, next exchange.Handler) {
	for {
		gen := s.serving.Load()
		if gen == nil || !serves(gen, x) {
			next(x)
			return
		}
		// One that was closed between the look and the share has a successor by now.
		if gen.Acquire() {
			defer gen.Release()
			x.Handled = s.Name()
			gen.Serve(x)
			return
		}
	}
}

// Explain names the module.
func (s only) Explain(x *exchange.Exchange) exchange.Finding {
	if gen := s.serving.Load(); gen != nil && serves(gen, x) {
		return exchange.Finding{Stage: s.Name(), Verdict: exchange.Answer, Reason: "module " + gen.Manifest().Name}
	}
	return exchange.Finding{Stage: s.Name(), Verdict: exchange.Pass, Reason: "not served by the module"}
}

// serves says whether x's path is below one of the module's routes.
func serves(gen *module.Generation, x *exchange.Exchange) bool {
	path, ok := strings.CutPrefix(x.Info.Path, "/kapis/")
	if !ok {
		return false
	}
	if x.Info.Cluster != "" {
		path = strings.TrimPrefix(path, "clusters/"+x.Info.Cluster+"/")
	}
	for _, route := range gen.Manifest().Routes() {
		if rest, ok := strings.CutPrefix(path+"/", strings.TrimSuffix(route, "/")); ok && rest[0] == '/' {
			return true
		}
	}
	return false
}
