// Package telemetry is where the gateway's log goes and where its metrics are registered.
package telemetry

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"
)

func init() {
	zerolog.TimeFieldFormat = time.RFC3339Nano // of the process: set before there is anybody who reads it
}

// SetLevel sets the least severe level that is written by every logger of the process: trace, debug, info, warn or error.
func SetLevel(level string) error {
	l, err := zerolog.ParseLevel(level)
	if err != nil {
		return fmt.Errorf("cannot use log level %q: %w", level, err)
	}
	zerolog.SetGlobalLevel(l)
	return nil
}

// NewLogger writes JSON to w, or text for people when format is "console".
func NewLogger(w io.Writer, format string) zerolog.Logger {
	if format == "console" {
		_, plain := os.LookupEnv("NO_COLOR")
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: plain || !terminal(w)}
	}
	return zerolog.New(w).With().Timestamp().Logger()
}

// terminal says whether a person may be watching w.
func terminal(w io.Writer) bool {
	if q, ok := w.(*Queue); ok {
		w = q.out
	}
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
