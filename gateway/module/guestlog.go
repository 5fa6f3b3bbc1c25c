package module

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"github.com/posternhq/postern/hostabi"
)

// maxLine bounds one log line of a guest, bytes; the rest is cut off.
const maxLine = 4 << 10

// guestLog writes a module's log lines with its name, at most so many a second, and keeps the last ones.
type guestLog struct {
	log    zerolog.Logger
	rate   *rate.Limiter
	stats  *Stats
	kept   *LogLines // nil: none are kept
	digest string
}

// newLog is the log of g.
func (g *Generation) newLog() *guestLog {
	most := g.limits.LogLinesPerSecond
	l := &guestLog{
		log:  g.engine.opts.Log.With().Str("module", g.Manifest().Name).Logger(),
		rate: rate.NewLimiter(rate.Limit(most), most), stats: &g.Stats, digest: g.Digest(),
	}
	if g.totals != nil {
		l.kept = &g.totals.Log
	}
	return l
}

// line logs text of a guest, or counts it as dropped. request is the id of the request it belongs to, if that is known.
func (l *guestLog) line(level hostabi.Level, text []byte, request string) {
	if !l.allowed() {
		return
	}
	l.stats.Logged.Add(1)
	l.say(level, string(bytes.TrimRight(text[:min(len(text), maxLine)], "\r\n")), request)
}

// trap logs the end of an instance that was serving so many requests. It is rated like the guest's own lines: a client
// that knows how to make a module fail must not be able to fill the log.
func (l *guestLog) trap(err error, requests int, request string) {
	if !l.allowed() {
		return
	}
	l.log.Error().Err(err).Int("requests", requests).Msg("module instance failed and is thrown away")
	l.keep("error", fmt.Sprintf("instance failed with %d requests and is thrown away: %s", requests, firstLine(err)), request)
}

func (l *guestLog) allowed() bool {
	if l.rate.Allow() {
		return true
	}
	l.stats.Dropped.Add(1)
	l.stats.reached[LimitLogLinesPerSecond].Add(1)
	return false
}

// say logs text.
func (l *guestLog) say(level hostabi.Level, text, request string) {
	event, name := l.log.Error(), "error"
	switch level {
	case hostabi.LevelDebug:
		event, name = l.log.Debug(), "debug"
	case hostabi.LevelInfo:
		event, name = l.log.Info(), "info"
	case hostabi.LevelWarn:
		event, name = l.log.Warn(), "warn"
	}
	if request != "" {
		event.Str("requestId", request)
	}
	event.Msg(text)
	l.keep(name, text, request)
}

func (l *guestLog) keep(level, text, request string) {
	if l.kept != nil {
		l.kept.add(LogLine{time.Now(), level, text[:min(len(text), maxLine)], request, l.digest})
	}
}

// writer makes what a guest prints log lines. A line that comes in pieces is logged in pieces: nothing is buffered.
func (l *guestLog) writer(i *instance, level hostabi.Level) io.Writer { return lineWriter{l, i, level} }

type lineWriter struct {
	log   *guestLog
	from  *instance
	level hostabi.Level
}

// Write never fails: a guest's print must not be able to stop it.
func (w lineWriter) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if len(bytes.TrimSpace(line)) > 0 {
			w.from.heard(w.level, line)
			w.log.line(w.level, line, w.from.currentID())
		}
	}
	return len(p), nil
}
