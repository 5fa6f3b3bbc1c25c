//go:build !race

package authn_test

import (
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/exchange"
)

// The steady state: the credentials have been seen before.
func TestServingAllocatesNothing(t *testing.T) {
	token, err := authn.IssueToken(secret, authn.Token{Username: "alice", Issuer: "kubesphere", Life: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	s := authn.New(options(people()))
	for method, header := range map[string]string{authn.Anonymous: "", authn.Bearer: "Bearer " + token, authn.Basic: basicAuth("alice", "P@ss:word")} {
		x := &exchange.Exchange{HTTP: new(fasthttp.RequestCtx)}
		h := &x.HTTP.Request.Header
		h.Set("Accept", "application/json")
		h.Set("X-Request-Id", "1")
		passed := 0
		next := func(x *exchange.Exchange) {
			if x.User.Method == method {
				passed++
			}
		}
		n := testing.AllocsPerRun(100, func() {
			if header != "" {
				h.Set("Authorization", header)
			}
			s.Serve(x, next)
		})
		if n != 0 || passed != 101 {
			t.Errorf("%s: %v allocations, %d of 101 passed (%s)", method, n, passed, x.Reason)
		}
	}
}
