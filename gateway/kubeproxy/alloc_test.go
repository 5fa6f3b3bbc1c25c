//go:build !race

package kubeproxy

import (
	"net"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"k8s.io/client-go/rest"

	"github.com/posternhq/postern/gateway/exchange"
)

// TestNoAllocation: to say who asks costs no allocation.
func TestNoAllocation(t *testing.T) {
	s := newStage(t, Options{Config: &rest.Config{Host: "a", BearerToken: "gateway"}})
	defer s.Close()
	var ctx fasthttp.RequestCtx
	ctx.Init(&fasthttp.Request{}, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1}, nil)
	x := &exchange.Exchange{HTTP: &ctx, User: alice, Received: time.Now()}
	b := make([]byte, 0, 1024)
	got := testing.AllocsPerRun(100, func() {
		if _, err := s.headers(b, x); err != nil {
			t.Fatal(err)
		}
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}
