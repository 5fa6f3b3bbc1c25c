package httpcall

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/gateway/status"
	"github.com/posternhq/postern/hostabi"
)

func TestMain(m *testing.M) {
	// fasthttp's clock of the Date header, and a stopped server's pool of workers, which sleeps for another 10 s.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// start makes a service with the backends b, a server whose path is /base, and dead, where nobody listens.
func start(t *testing.T, h http.HandlerFunc) *Service {
	t.Helper()
	server := httptest.NewServer(h)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	_ = l.Close()
	s, err := New(map[string]Backend{
		"b": {URL: server.URL + "/base/"}, "root": {URL: server.URL}, "dead": {URL: "http://" + dead},
		"slow": {URL: server.URL, Timeout: 30 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		server.CloseClientConnections()
		server.Close()
	})
	return s
}

func callOf(tagsAndValues ...any) *service.Call {
	var r hostabi.Record
	for i := 0; i < len(tagsAndValues); i += 2 {
		r = r.Append(tagsAndValues[i].(hostabi.Tag), tagsAndValues[i+1].(string))
	}
	grants := &service.Grants{HTTP: []string{"b", "root", "dead", "slow", "missing"}}
	return &service.Call{Module: "test", Grants: grants, RequestID: "id-1", Record: r, MaxBytes: 1 << 20}
}

// forwarding starts a gateway whose every exchange goes on as call says, and is answered with a Status where it cannot.
// It is the address.
func forwarding(t *testing.T, s *Service, call *service.Call) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve := func(x *exchange.Exchange) {
		x.ID = "id-of-the-gateway"
		if r := s.Forward(x, call); r.Code != hostabi.OK {
			status.Write(x, status.BadGateway, r.Code.String()+": "+r.Err)
		}
	}
	server := &fasthttp.Server{
		StreamRequestBody: true, DisableHeaderNamesNormalizing: true, DisablePreParseMultipartForm: true, NoDefaultServerHeader: true,
		NoDefaultDate: true, NoDefaultContentType: true, MaxRequestBodySize: 1 << 40, CloseOnShutdown: true,
		Handler: func(ctx *fasthttp.RequestCtx) { exchange.Run(ctx, new(exchange.Peer), time.Now(), serve) },
	}
	done := make(chan struct{})
	go func() { _ = server.Serve(l); close(done) }()
	t.Cleanup(func() {
		_ = server.Shutdown()
		<-done
	})
	return l.Addr().String()
}
