package observe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
)

// request is one that is ready to be served again and again.
func request(uri string) *fasthttp.RequestCtx {
	ctx := new(fasthttp.RequestCtx)
	ctx.Init(&fasthttp.Request{}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1234}, nil)
	ctx.Request.SetRequestURI(uri)
	ctx.Request.Header.SetUserAgent("kubectl/v1.37")
	return ctx
}

var ana = &exchange.User{Name: "ana", Method: "bearer"}

// answer is the rest of the chain.
func answer(code int) exchange.Handler {
	return func(x *exchange.Exchange) {
		x.ID, x.User, x.Handled = "r1", ana, "kubeproxy"
		x.Info = exchange.RequestInfo{Verb: "get", APIVersion: "v1", Resource: "pods", IsResourceRequest: true, IsKubernetesRequest: true}
		x.HTTP.Response.SetStatusCode(code)
		x.HTTP.Response.SetBodyString("0123456789")
	}
}

func serve(s *Stage, ctx *fasthttp.RequestCtx, code int) {
	next := answer(code)
	exchange.Run(ctx, nil, time.Now(), func(x *exchange.Exchange) { s.Serve(x, next) })
}

func TestAccessLog(t *testing.T) {
	var out bytes.Buffer
	registry := prometheus.NewRegistry()
	s := New(Options{Registry: registry, Log: zerolog.New(&out)})
	asked := request("/api/v1/namespaces/n/pods/p?token=secret")
	asked.Request.Header.Set("Authorization", "Bearer secret")
	asked.Request.Header.SetCookie("token", "secret")
	asked.Request.Header.Set("X-Forwarded-For", "198.51.100.9") // of a peer that is not trusted
	serve(s, asked, 200)
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"requestId": "r1", "remote": "127.0.0.1:1234", "method": "GET", "path": "/api/v1/namespaces/n/pods/p", "queryBytes": 12.0, "verb": "get",
		"stage": "kubeproxy", "status": 200.0, "bytes": 10.0, "user": "ana", "auth": "bearer", "userAgent": "kubectl/v1.37",
	} {
		if line[key] != want {
			t.Errorf("%s: %v, want %v", key, line[key], want)
		}
	}
	if strings.Contains(out.String(), "secret") {
		t.Error("the query, or a credential, is in the log")
	}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP ks_server_request_total Requests answered, proxied ones included.
# TYPE ks_server_request_total counter
ks_server_request_total{code="200",group="",resource="pods",verb="get",version="v1"} 1
`), "ks_server_request_total"); err != nil {
		t.Error(err)
	}
}

func TestSamplingKeepsErrors(t *testing.T) {
	var out bytes.Buffer
	s := New(Options{Registry: prometheus.NewRegistry(), Log: zerolog.New(&out)})
	for _, c := range []struct {
		access      Access
		code, lines int
	}{
		{Access{On: true, Sampling: 1}, 200, 20},
		{Access{On: true, Sampling: 10}, 200, 2},
		{Access{On: true, Sampling: 10}, 404, 20},
		{Access{On: false, Sampling: 1}, 500, 0},
	} {
		out.Reset()
		s.SetAccess(c.access)
		for range 20 {
			serve(s, request("/api"), c.code)
		}
		if n := strings.Count(out.String(), "\n"); n != c.lines {
			t.Errorf("%+v, status %d: %d lines, want %d", c.access, c.code, n, c.lines)
		}
	}
}

func TestTrustedProxy(t *testing.T) {
	var out bytes.Buffer
	s := New(Options{Registry: prometheus.NewRegistry(), Log: zerolog.New(&out)})
	s.SetAccess(Access{On: true, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	asked := request("/")
	asked.Request.Header.Set("X-Forwarded-For", "10.1.1.1, 198.51.100.9")
	serve(s, asked, 200)
	if !strings.Contains(out.String(), `"remote":"198.51.100.9"`) {
		t.Error(out.String())
	}
}

// TestLongFieldsAreCut has a client try to keep its request out of the log: a line may have 16 KiB.
func TestLongFieldsAreCut(t *testing.T) {
	var out bytes.Buffer
	s := New(Options{Registry: prometheus.NewRegistry(), Log: zerolog.New(&out)})
	ctx := request("/" + strings.Repeat("%01", 3000))
	ctx.Request.Header.SetUserAgent(strings.Repeat("\x01", 5000))
	serve(s, ctx, 200)
	if n := out.Len(); n == 0 || n > 8<<10 {
		t.Errorf("a line of %d bytes", n)
	}
}

// TestLabelsAreBounded has a client invent resources: only what was answered well makes series, and not for ever.
func TestLabelsAreBounded(t *testing.T) {
	registry := prometheus.NewRegistry()
	s := New(Options{Registry: registry, Log: zerolog.Nop()})
	const most = 50
	s.metrics.most = most
	ask := func(resource string, code int) {
		exchange.Run(request("/"), nil, time.Now(), func(x *exchange.Exchange) {
			s.Serve(x, func(x *exchange.Exchange) {
				x.Info = exchange.RequestInfo{Verb: "get", APIGroup: "g", APIVersion: "v1", Resource: resource}
				x.HTTP.Response.SetStatusCode(code)
			})
		})
	}
	for i := range 3 * most {
		ask(fmt.Sprint("invented", i), 404)
	}
	ask("\xff", 200)
	ask(strings.Repeat("r", maxLabel+1), 200)
	if n := len(*s.metrics.known.Load()); n != 1 {
		t.Errorf("%d label sets for what does not exist", n-1)
	}
	for i := range 3 * most {
		ask(fmt.Sprint("pods", i), 200)
	}
	if n := len(*s.metrics.known.Load()); n != most {
		t.Errorf("%d label sets, want %d", n, most)
	}
	for code := 200; code < 599; code++ {
		ask("pods0", code)
	}
	if n, err := testutil.GatherAndCount(registry, "ks_server_request_total"); err != nil || n > most+100 {
		t.Errorf("%d series, %v", n, err)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}
