package gateway

import (
	"github.com/rs/zerolog"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/users"
)

// firstAdmin says who is made on a platform without users. A password that was made is one line of the log, once: there is
// nobody else yet whom it could be given to.
func firstAdmin(c *config.Config, log zerolog.Logger) users.Admin {
	return users.Admin{
		Name: c.Postern.FirstAdmin.Name, Namespace: c.Postern.Namespace, Secret: c.Postern.FirstAdmin.From,
		Print: func(name, password string) {
			log.Warn().Str("user", name).Str("password", password).Msg("the first administrator's password; it is shown this once, change it")
		},
	}
}

// history is what is kept of logins.
func history(c *config.Config) users.History {
	a := c.Authentication
	return users.History{Retention: a.LoginHistoryRetentionPeriod, Entries: a.LoginHistoryMaximumEntries}
}
