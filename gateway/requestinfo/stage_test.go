package requestinfo

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/valyala/fasthttp"
)

// with runs f on an exchange of the request.
func with(method, target string, f func(x *exchange.Exchange)) {
	var ctx fasthttp.RequestCtx
	ctx.Request.Header.SetMethod(method)
	ctx.Request.SetRequestURI(target)
	exchange.Run(&ctx, nil, time.Now(), f)
}

func TestStage(t *testing.T) {
	with("GET", "/api/v1/namespaces/n/services/y/proxy//a?watch=1", func(x *exchange.Exchange) {
		// What fasthttp makes of a path must not matter, nor what a client says about itself.
		if got := string(x.HTTP.Path()); got != "/api/v1/namespaces/n/services/y/proxy/a" {
			t.Errorf("fasthttp's path is %q: it normalises no more", got)
		}
		x.HTTP.Request.Header.Set("X-KubeSphere-Rawquery", "watch=true")
		x.HTTP.Request.Header.Set("X-KubeSphere-Authorization", "Basic YTpi")
		passed := false
		New().Serve(x, func(x *exchange.Exchange) { passed = true })
		if !passed || x.Info.Path != "/api/v1/namespaces/n/services/y/proxy//a" || x.Info.Subresource != "proxy" || x.User != nil {
			t.Errorf("passed %v, info %+v", passed, x.Info)
		}
		if got := string(x.HTTP.Request.Header.RequestURI()); got != "/api/v1/namespaces/n/services/y/proxy//a?watch=1" {
			t.Errorf("target is now %q", got)
		}
		if len(x.HTTP.Request.Header.Peek("Authorization")) != 0 {
			t.Error("a header of the client became Authorization")
		}
	})
}

// TestRawquery: the header stands for the query upstream, and from anybody.
func TestRawquery(t *testing.T) {
	with("GET", "/api/v1/pods", func(x *exchange.Exchange) {
		x.HTTP.Request.Header.Set("X-KubeSphere-Rawquery", "watch=true")
		New().Serve(x, func(x *exchange.Exchange) {})
		if x.Info.Verb != "list" {
			t.Errorf("verb %s", x.Info.Verb)
		}
	})
}

func TestStageRefuses(t *testing.T) {
	with("GET", "/api/v1/namespaces/%2e%2e/pods", func(x *exchange.Exchange) {
		New().Serve(x, func(x *exchange.Exchange) { t.Error("passed on") })
		var s struct {
			Kind, Reason, Message string
			Code                  int
		}
		if err := json.Unmarshal(x.HTTP.Response.Body(), &s); err != nil {
			t.Fatal(err)
		}
		if x.HTTP.Response.StatusCode() != 400 || s.Code != 400 || s.Kind != "Status" || s.Reason != "BadRequest" || s.Message != errDots.Error() {
			t.Errorf("%d %s", x.HTTP.Response.StatusCode(), x.HTTP.Response.Body())
		}
		if x.Handled != "requestinfo" {
			t.Errorf("handled by %q", x.Handled)
		}
		if f := New().Explain(x); f.Verdict != exchange.Refuse || f.Code != 400 || f.Reason != errDots.Error() {
			t.Errorf("finding %+v", f)
		}
	})
}

func TestExplain(t *testing.T) {
	for target, want := range map[string]string{
		"/healthz":             "path /healthz, no resource",
		"/api/v1/pods?watch=1": "watch pods in scope Cluster",
		"/kapis/iam.kubesphere.io/v1alpha2/users/u/globalroles": "get users.iam.kubesphere.io/globalroles in scope Global",
	} {
		with("GET", target, func(x *exchange.Exchange) {
			f := New().Explain(x)
			if f.Stage != New().Name() || f.Verdict != exchange.Pass || f.Reason != want || x.Info.Verb == "" {
				t.Errorf("%s: %+v, info %+v", target, f, x.Info)
			}
		})
	}
}
