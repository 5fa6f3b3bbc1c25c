package dispatch_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/dispatch"
	"github.com/posternhq/postern/gateway/exchange"
)

func TestServe(t *testing.T) {
	for _, c := range []struct{ host, cluster, uri, passed string }{
		{"", "", "/api/v1/pods?watch=1", "/api/v1/pods?watch=1"},
		{"", "", "/x/clusters/host/y", "/x/clusters/host/y"},
		{"", "host", "/api/clusters/host/v1/pods?a=/clusters/host/", "/api/v1/pods?a=/clusters/host/"},
		{"", "host", "/kapis/clusters/host/iam.kubesphere.io/v1alpha2/clusters/host", "/kapis/iam.kubesphere.io/v1alpha2/clusters/host"},
		{"gondor", "gondor", "/apis/clusters/gondor/apps/v1/deployments", "/apis/apps/v1/deployments"},
		{"gondor", "host", "/apis/clusters/host/apps/v1/deployments", ""},
		{"", "c1", "/api/clusters/c1/v1/pods", ""},
		{"", "HOST", "/api/clusters/HOST/v1/pods", ""},
		{"", `a"b`, `/api/clusters/a"b/v1/pods`, ""},
	} {
		s := dispatch.New(dispatch.Options{HostCluster: c.host})
		ctx := new(fasthttp.RequestCtx)
		ctx.Request.SetRequestURI(c.uri)
		passed := ""
		exchange.Run(ctx, nil, time.Now(), func(x *exchange.Exchange) {
			x.Info.Cluster = c.cluster
			s.Serve(x, func(x *exchange.Exchange) { passed = string(x.HTTP.Request.Header.RequestURI()) })
			f := s.Explain(x)
			if (f.Verdict == exchange.Pass) != (c.passed != "") || f.Stage != "dispatch" || f.Reason == "" {
				t.Errorf("%s: finding %+v", c.uri, f)
			}
		})
		if passed != c.passed {
			t.Errorf("%s: passed on %q, want %q", c.uri, passed, c.passed)
		}
		if c.passed != "" {
			continue
		}
		var st struct {
			Kind, Reason, Message string
			Code                  int
		}
		if err := json.Unmarshal(ctx.Response.Body(), &st); err != nil {
			t.Fatal(err)
		}
		if want, _ := json.Marshal(c.cluster); st.Code != 404 || st.Reason != "NotFound" || st.Message != "clusters.cluster.kubesphere.io "+string(want)+" not found" {
			t.Errorf("%s: %+v", c.uri, st)
		}
	}
}

func TestExplainShowsTheTarget(t *testing.T) {
	x := &exchange.Exchange{HTTP: new(fasthttp.RequestCtx), Info: exchange.RequestInfo{Cluster: "host"}}
	x.HTTP.Request.SetRequestURI("/api/clusters/host/v1/pods")
	f := dispatch.New(dispatch.Options{}).Explain(x)
	if f.Details["target"] != "/api/v1/pods" {
		t.Errorf("%+v", f)
	}
	if got := string(x.HTTP.Request.Header.RequestURI()); got != "/api/clusters/host/v1/pods" {
		t.Errorf("Explain changed the request: %s", got)
	}
}
