//go:build !race

package requestinfo

import (
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/valyala/fasthttp"
)

// targets are the kinds of requests that a gateway sees all day, and the more costly forms of them.
var targets = []struct{ name, target string }{
	{"get", "/api/v1/namespaces/kube-system/pods/coredns-5d78c9869d-x2x7z"},
	{"list", "/apis/apps/v1/namespaces/default/deployments?limit=500"},
	{"watch", "/api/v1/pods?allowWatchBookmarks=true&watch=true&resourceVersion=12345&timeoutSeconds=357"},
	{"kapis", "/kapis/clusters/host/resources.kubesphere.io/v1alpha3/workspaces/w/namespaces/n/pods?sortBy=createTime&limit=10"},
	{"selectors", "/api/v1/pods?watch=1&labelSelector=kubesphere.io%2Fworkspace%3Dws1&fieldSelector=metadata.name%3Da%5C%2Cb"},
	{"escapes", "/%61pi/v1/namespaces/default/services/https:y:443/proxy//a%2Fb%20%C3%A9/"},
	{"path", "/oauth/token"},
	{"refused", "/api/v1/namespaces//pods"},
}

func TestNoAllocation(t *testing.T) {
	for _, c := range targets {
		var ctx fasthttp.RequestCtx
		ctx.Request.Header.SetMethod("GET")
		ctx.Request.SetRequestURI(c.target)
		exchange.Run(&ctx, nil, time.Now(), func(x *exchange.Exchange) {
			if n := testing.AllocsPerRun(100, func() { _ = Fill(x) }); n != 0 {
				t.Errorf("%s: %v allocations", c.name, n)
			}
		})
	}
}

func BenchmarkFill(b *testing.B) {
	for _, c := range targets {
		b.Run(c.name, func(b *testing.B) {
			var ctx fasthttp.RequestCtx
			ctx.Request.Header.SetMethod("GET")
			ctx.Request.SetRequestURI(c.target)
			exchange.Run(&ctx, nil, time.Now(), func(x *exchange.Exchange) {
				b.ReportAllocs()
				for b.Loop() {
					_ = Fill(x)
				}
			})
		})
	}
}
