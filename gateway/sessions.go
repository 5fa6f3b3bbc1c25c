package gateway

import (
	"github.com/posternhq/postern/config"
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
