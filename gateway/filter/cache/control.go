package cache

import (
	"bytes"
	"strings"
	"time"
	"unsafe"
)

// control is what a Cache-Control header says (RFC 9111, section 5.2). Times are -1 when they are not said.
type control struct {
	noStore, noCache, private, public, mustRevalidate, onlyIfCached bool
	maxAge, sharedAge, staleWhile, minFresh                         time.Duration
}

// parseControl reads all Cache-Control lines of a message. Directives it does not know are passed over; of one said
// twice the shorter time counts, and a time that cannot be read is none at all, as the RFC advises.
func parseControl(lines [][]byte) control {
	c := control{maxAge: -1, sharedAge: -1, staleWhile: -1, minFresh: -1}
	for _, line := range lines {
		for len(line) > 0 {
			var item []byte
			item, line = nextDirective(line)
			name, value, _ := bytes.Cut(item, []byte("="))
			c.take(text(bytes.TrimSpace(name)), bytes.Trim(bytes.TrimSpace(value), `"`), len(value) > 0)
		}
	}
	return c
}

// nextDirective cuts at the first comma that is not in quotes.
func nextDirective(line []byte) (item, rest []byte) {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return line[:i], line[i+1:]
		}
	}
	return line, nil
}

// take notes a directive. no-cache and private with a list of headers count for the whole answer.
func (c *control) take(name string, value []byte, has bool) {
	switch {
	case strings.EqualFold(name, "no-store"):
		c.noStore = true
	case strings.EqualFold(name, "no-cache"):
		c.noCache = true
	case strings.EqualFold(name, "private"):
		c.private = true
	case strings.EqualFold(name, "public"):
		c.public = true
	case strings.EqualFold(name, "must-revalidate"), strings.EqualFold(name, "proxy-revalidate"):
		c.mustRevalidate = true
	case strings.EqualFold(name, "only-if-cached"):
		c.onlyIfCached = true
	case !has:
	case strings.EqualFold(name, "max-age"):
		shorter(&c.maxAge, value)
	case strings.EqualFold(name, "s-maxage"):
		shorter(&c.sharedAge, value)
	case strings.EqualFold(name, "stale-while-revalidate"):
		shorter(&c.staleWhile, value)
	case strings.EqualFold(name, "min-fresh"):
		shorter(&c.minFresh, value)
	}
}

func shorter(d *time.Duration, value []byte) {
	if v := seconds(value); *d < 0 || v < *d {
		*d = v
	}
}

// maxSeconds is what longer times are read as (RFC 9111, section 1.2.2).
const maxSeconds = 1 << 31

// seconds reads a number of seconds; 0 if it is none.
func seconds(b []byte) time.Duration {
	if len(b) == 0 {
		return 0
	}
	n := int64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0
		}
		n = min(n*10+int64(c-'0'), maxSeconds)
	}
	return time.Duration(n) * time.Second
}

// text is b as a string without a copy, while b does not change.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
