package module

import (
	"errors"
	"sync"
	"time"
)

// Bounds of what is kept of each module's log, and of those who follow it.
const (
	keptLines    = 200
	keptBytes    = 64 << 10
	maxFollowers = 16
	followed     = 64 // lines that a follower may be behind
)

// LogLine is one line that a module logged, or that is said of it.
type LogLine struct {
	Time      time.Time `json:"time"`
	Level     string    `json:"level"` // debug, info, warn, error
	Message   string    `json:"message"`
	RequestID string    `json:"requestId,omitempty"` // if it is known: of synchronous guests, and of traps that cost one request
	Digest    string    `json:"digest,omitempty"`    // of the generation
}

// LogLines are the last lines of one module, at most 200 and 64 KiB.
type LogLines struct {
	mu        sync.Mutex
	lines     []LogLine
	first     int // the oldest, once there are keptLines
	bytes     int
	followers map[*Follower]struct{}
}

// Follower gets the lines that come from now on. One that is slow misses some: the module never waits for it.
type Follower struct {
	// Lines is closed by Close.
	Lines   chan LogLine
	of      *LogLines
	dropped int64
}

// add keeps line in the place of the oldest ones.
func (l *LogLines) add(line LogLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) < keptLines {
		l.lines = append(l.lines, line)
	} else {
		l.bytes -= len(l.lines[l.first].Message)
		l.lines[l.first] = line
		l.first = (l.first + 1) % keptLines
	}
	l.bytes += len(line.Message)
	for n := l.first; l.bytes > keptBytes; n = (n + 1) % len(l.lines) { // the oldest keep their place and lose their text
		l.bytes -= len(l.lines[n].Message)
		l.lines[n] = LogLine{}
	}
	for f := range l.followers {
		select {
		case f.Lines <- line:
		default:
			f.dropped++
		}
	}
}

// Last are the last n lines, oldest first.
func (l *LogLines) Last(n int) []LogLine {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []LogLine
	for i := range l.lines {
		if line := l.lines[(l.first+i)%len(l.lines)]; !line.Time.IsZero() {
			all = append(all, line)
		}
	}
	return all[max(0, len(all)-n):]
}

// Follow has the lines from now on sent to a follower, which must be closed.
func (l *LogLines) Follow() (*Follower, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.followers) == maxFollowers {
		return nil, errors.New("the module's log is followed too often already")
	}
	if l.followers == nil {
		l.followers = map[*Follower]struct{}{}
	}
	f := &Follower{Lines: make(chan LogLine, followed), of: l}
	l.followers[f] = struct{}{}
	return f, nil
}

// Dropped is how many lines the follower has missed.
func (f *Follower) Dropped() int64 {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	return f.dropped
}

// Close ends the following. A second call does nothing.
func (f *Follower) Close() {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	if _, ok := f.of.followers[f]; ok {
		delete(f.of.followers, f)
		close(f.Lines)
	}
}
