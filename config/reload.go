package config

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Status is how the last attempt to reload went, and what serves.
type Status struct {
	OK              bool      // the last attempt succeeded
	Error           string    // why it did not
	Generation      uint64    // 1 at the start, one more with each success
	File            string    // empty: there is none
	Hash            string    // SHA-256 in hex of the file that serves
	Attempted       time.Time // the last attempt
	Succeeded       time.Time // the last success
	Warnings        []Problem // of the file that serves
	Changed         []string  // keys that the last success changed
	RestartRequired []string  // keys that differ from those the process started with, and wait for the next start

	attempted string // fingerprint of the file tried last
}

// String is the status as /readyz?verbose shows it.
func (s Status) String() string {
	file := s.File
	if file == "" {
		file = "no file"
	}
	text := fmt.Sprintf("generation %d, %s", s.Generation, file)
	if len(s.Hash) > 12 {
		text += ", sha256 " + s.Hash[:12]
	}
	if !s.OK {
		text += fmt.Sprintf(", reload failed at %s: %s", s.Attempted.UTC().Format(time.RFC3339), s.Error)
	}
	return text
}

// Reload loads the configuration now, as SIGHUP asks, even if the file is
// unchanged. It waits for a reload under way.
func (w *Watcher) Reload(ctx context.Context) error {
	select {
	case <-w.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { w.turn <- struct{}{} }()

	status := w.Status()
	status.Attempted = time.Now()
	c, report, err := w.loadAndApply(ctx)
	status.attempted = report.Hash
	if report.Hash == "" {
		status.attempted = fingerprint(w.file())
	}
	if err != nil {
		status.OK, status.Error = false, err.Error()
	} else {
		status = w.succeeded(status, c, report)
	}
	w.status.Store(&status)
	if w.done != nil {
		w.done(status)
	}
	return err
}

func (w *Watcher) loadAndApply(ctx context.Context) (*Config, Report, error) {
	o := w.options
	if o.File == "" {
		o.File = w.Status().File
	}
	c, report, err := Load(o)
	if err != nil {
		return nil, report, err
	}
	if report.empty && w.Status().Hash != "" {
		return nil, report, fmt.Errorf("%s is empty", report.File)
	}
	if err := w.apply(ctx, c); err != nil {
		return nil, report, fmt.Errorf("cannot apply %s: %w", report.File, err)
	}
	return c, report, nil
}

func (w *Watcher) succeeded(s Status, c *Config, report Report) Status {
	s.OK, s.Error = true, ""
	s.Generation++
	s.Succeeded = s.Attempted
	s.File, s.Hash, s.Warnings = report.File, report.Hash, report.Warnings
	s.Changed = c.Changed(w.current.Load())
	s.RestartRequired = c.RestartRequired(w.first)
	w.current.Store(c)
	return s
}

// missingFile is the fingerprint of a file that is not there.
const missingFile = "missing"

// fingerprint tells two contents of a file apart. What cannot be read has one
// too, so that it is tried once and not for ever.
func fingerprint(file string) string {
	if file == "" {
		return missingFile
	}
	data, err := readFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missingFile
	case err != nil:
		return err.Error()
	}
	return hashOf(data)
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
