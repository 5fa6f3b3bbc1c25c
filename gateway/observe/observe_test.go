package observe

import (
	"bytes"
	"encoding/json"
	"net"
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
	serve(s, request("/api/v1/namespaces/n/pods/p?token=secret"), 200)
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
		t.Error("the query is in the log")
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

func TestAppendRemote(t *testing.T) {
	for want, a := range map[string]net.Addr{
		"127.0.0.1:1":                     &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1},
		"[2001:db8::1]:65535":             &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 65535},
		"[fe80::1%a-very-long-name-it]:2": &net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 2, Zone: "a-very-long-name-it"},
		"":                                &net.UnixAddr{Name: "socket"},
	} {
		if got := string(appendRemote(nil, a)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := appendRemote(nil, nil); len(got) != 0 {
		t.Errorf("no address: %q", got)
	}
}
