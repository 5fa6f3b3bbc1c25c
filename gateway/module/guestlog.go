package module

import (
	"bytes"
	"io"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"github.com/posternhq/postern/hostabi"
)

// maxLine bounds one log line of a guest, bytes; the rest is cut off.
const maxLine = 4 << 10

// guestLog writes a module's log lines with its name, at most so many a second.
type guestLog struct {
	log   zerolog.Logger
	rate  *rate.Limiter
	stats *Stats
}

func newGuestLog(log zerolog.Logger, module string, perSecond int, stats *Stats) *guestLog {
	return &guestLog{
		log:   log.With().Str("module", module).Logger(),
		rate:  rate.NewLimiter(rate.Limit(perSecond), perSecond),
		stats: stats,
	}
}

// line logs text, or counts it as dropped.
func (l *guestLog) line(level hostabi.Level, text []byte) {
	if !l.rate.Allow() {
		l.stats.Dropped.Add(1)
		return
	}
	l.stats.Logged.Add(1)
	text = text[:min(len(text), maxLine)]
	event := l.log.Error()
	switch level {
	case hostabi.LevelDebug:
		event = l.log.Debug()
	case hostabi.LevelInfo:
		event = l.log.Info()
	case hostabi.LevelWarn:
		event = l.log.Warn()
	}
	event.Msg(string(bytes.TrimRight(text, "\r\n")))
}

// trap logs the end of an instance that was serving so many requests. It is rated like the guest's own lines: a client
// that knows how to make a module fail must not be able to fill the log.
func (l *guestLog) trap(err error, requests int) {
	if !l.rate.Allow() {
		l.stats.Dropped.Add(1)
		return
	}
	l.log.Error().Err(err).Int("requests", requests).Msg("module instance failed and is thrown away")
}

// writer makes what a guest prints log lines. A line that comes in pieces is logged in pieces: nothing is buffered.
func (l *guestLog) writer(level hostabi.Level) io.Writer { return lineWriter{l, level} }

type lineWriter struct {
	log   *guestLog
	level hostabi.Level
}

// Write never fails: a guest's print must not be able to stop it.
func (w lineWriter) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if len(bytes.TrimSpace(line)) > 0 {
			w.log.line(w.level, line)
		}
	}
	return len(p), nil
}
