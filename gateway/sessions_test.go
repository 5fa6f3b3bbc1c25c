package gateway

import (
	"testing"
	"time"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/session"
	"github.com/posternhq/postern/gateway/session/sessiontest"
)

// TestAReloadLogsNobodyOutAndBringsNobodyBack changes the configuration, where sessions are, and the process.
func TestAReloadLogsNobodyOutAndBringsNobodyBack(t *testing.T) {
	redis := sessiontest.Redis(t)
	c := newCluster(t)
	first := c.configuration(t)
	g := run(t, first).ready()
	gone, alive := session.NewID(), session.NewID()
	if err := g.long.sessions.EndSession(t.Context(), gone, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	check := func(what string, k *session.Keeper) {
		t.Helper()
		if !k.Ended("alice", gone, time.Now()) {
			t.Errorf("%s: an ended session is alive", what)
		}
		if k.Ended("alice", alive, time.Now()) {
			t.Errorf("%s: a session has ended", what)
		}
	}
	for what, change := range map[string]func(*config.Config){
		"tries":    func(o *config.Config) { o.Authentication.AuthenticateRateLimiterMaxTries = 7 },
		"lifetime": func(o *config.Config) { o.Authentication.OAuthOptions.AccessTokenMaxAge = time.Minute },
		"redis": func(o *config.Config) {
			o.Cache = config.Cache{Type: "redis", Options: map[string]any{"host": redis.Host, "port": redis.Port, "password": redis.Password}}
		},
		"memory": func(*config.Config) {},
	} {
		if err := g.Reload(t.Context(), changed(first, change)); err != nil {
			t.Fatal(err)
		}
		check(what, g.long.sessions)
	}
	g.stop()
	if err := <-g.ended; err != nil {
		t.Fatal(err)
	}
	g.ended <- nil // for the end of the test
	check("after a restart", run(t, first).ready().long.sessions)
}
