package telemetry

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

func TestLogger(t *testing.T) {
	t.Cleanup(func() { zerolog.SetGlobalLevel(zerolog.InfoLevel) })
	var out bytes.Buffer
	log := NewLogger(&out, "json")
	if err := SetLevel("warn"); err != nil {
		t.Fatal(err)
	}
	log.Info().Msg("not this")
	log.Warn().Str("k", "v").Msg("this")
	log.Log().Msg("and the access log")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var first struct{ Level, K, Message, Time string }
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || len(lines) != 2 || first.Message != "this" || first.K != "v" {
		t.Fatalf("%q, %v", lines, err)
	}
	if _, err := time.Parse(time.RFC3339Nano, first.Time); err != nil {
		t.Error(err)
	}
	if err := SetLevel("loud"); err == nil || zerolog.GlobalLevel() != zerolog.WarnLevel {
		t.Errorf("%v, level %v", err, zerolog.GlobalLevel())
	}
}

func TestConsole(t *testing.T) {
	var out bytes.Buffer
	log := NewLogger(&out, "console")
	log.Error().Str("k", "v").Msg("for people")
	if text := out.String(); strings.Contains(text, "{") || strings.Contains(text, "\x1b") || !strings.Contains(text, "for people k=v") {
		t.Errorf("%q", text)
	}
}

// TestWriteAfterClose: a late line is lost, and that is all.
func TestWriteAfterClose(t *testing.T) {
	r := new(recorder)
	q := NewQueue(r)
	q.Close()
	line := bytes.Repeat([]byte("x"), maxLine)
	for range queueBytes/maxLine + 10 {
		if n, err := q.Write(line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	if r.text.Len() != 0 || q.Dropped() != 10 {
		t.Errorf("%d bytes written, %d lines dropped", r.text.Len(), q.Dropped())
	}
}

// TestStuckLogEnds has a log that takes nothing: the gateway must be able to end.
func TestStuckLogEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{block: make(chan struct{})}
		q := NewQueue(r)
		_, _ = q.Write([]byte("stuck"))
		time.Sleep(2 * gather)
		q.Close()
		close(r.block)
	})
}

func TestTerminal(t *testing.T) {
	null, err := os.Open(os.DevNull) // a character device, as a terminal is
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	q := NewQueue(null)
	defer q.Close()
	if !terminal(null) || !terminal(q) || terminal(new(bytes.Buffer)) {
		t.Error("people behind a queue are not seen")
	}
}
