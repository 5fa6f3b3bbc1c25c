package moduletest

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/listener"
	"github.com/posternhq/postern/gateway/requestinfo"
	"github.com/posternhq/postern/hostabi/guest"
)

// Listen serves the module to user over HTTP on loopback, both ways; the addresses are base URLs. It is for what only a
// real connection shows: streams, upgrades, clients that leave.
func (m *Module) Listen(t testing.TB, user *exchange.User) (native, wasm string) {
	t.Helper()
	native = listen(t, user, func(x *exchange.Exchange) { m.engine.ServeNative(x, m.about, m.policy, guest.ServeNative) })
	return native, listen(t, user, m.generation.Serve)
}

func listen(t testing.TB, user *exchange.User, serve exchange.Handler) string {
	stage := requestinfo.New()
	server, err := listener.New(listener.Options{
		Logger: zerolog.New(zerolog.NewTestWriter(t)),
		Serve: func(x *exchange.Exchange) {
			x.ID, x.User = "00000000000000000000000000000000", user
			stage.Serve(x, serve)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := listener.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Errorf("cannot shut the server down: %v", err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String()
}
