package gateway

import (
	"path/filepath"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/admin"
	"github.com/posternhq/postern/gateway/session"
)

// sessionSettings are what c says of sessions. The store itself outlives every configuration, so a reload logs nobody
// out and forgets no failed login.
func sessionSettings(c *config.Config) (s session.Settings, err error) {
	a, own := c.Authentication, c.Postern.Sessions
	s = session.Settings{
		Local:    own.WhenDown == config.WhenDownLocal,
		MaxTries: a.AuthenticateRateLimiterMaxTries, AddressTries: own.AddressTries, Window: a.AuthenticateRateLimiterDuration,
	}
	if c.Cache.Type == "redis" {
		r, err := c.Cache.Redis()
		if err != nil {
			return s, err
		}
		s.Redis = (*session.Redis)(&r)
	}
	return s, nil
}

// openSessions reads the journal of sessions, before the first request. What nobody has configured may fail: several
// gateways of one user, or a container without a folder to write to, serve all the same.
func (g *Gateway) openSessions(path string) error {
	if path != "" {
		return g.long.sessions.Open(path)
	}
	token := admin.DefaultTokenFile()
	if token == "" {
		g.log.Warn().Msg("sessions that end are forgotten when the gateway ends: set postern.sessions.journalFile")
		return nil
	}
	if err := g.long.sessions.Open(filepath.Join(filepath.Dir(token), "sessions.journal")); err != nil {
		g.log.Warn().Err(err).Msg("sessions that end are forgotten when the gateway ends: set postern.sessions.journalFile")
	}
	return nil
}
