package listener

import "github.com/rs/zerolog"

// debugLogger takes what fasthttp logs of broken connections.
type debugLogger struct{ log zerolog.Logger }

func (l debugLogger) Printf(format string, args ...any) { l.log.Debug().Msgf(format, args...) }
