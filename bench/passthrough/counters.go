package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// counters are what Postern says of itself.
type counters struct {
	Requests float64 // that were counted
	Mallocs  float64 // objects allocated
	GCs      float64
	Dropped  float64 // log lines that found the queue full
}

// counters reads them from the admin listener.
func (t *target) counters(ctx context.Context) (c counters, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, t.admin+"/metrics", nil)
	if err != nil {
		return c, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return c, fmt.Errorf("cannot read Postern's metrics: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	return parseCounters(io.LimitReader(resp.Body, 16<<20))
}

// parseCounters adds up the series that are of interest.
func parseCounters(r io.Reader) (c counters, err error) {
	wanted := map[string]*float64{
		"ks_server_request_total": &c.Requests, "go_memstats_mallocs_total": &c.Mallocs, "go_gc_duration_seconds_count": &c.GCs,
		"postern_log_lines_dropped_total": &c.Dropped,
	}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, _, _ := strings.Cut(lines.Text(), " ")
		name, _, _ = strings.Cut(name, "{")
		sum := wanted[name]
		if sum == nil {
			continue
		}
		text := lines.Text()[strings.LastIndexByte(lines.Text(), ' ')+1:]
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return c, fmt.Errorf("cannot read metric %q: %w", name, err)
		}
		*sum += v
	}
	return c, lines.Err()
}

// minus is what has been added since.
func (c counters) minus(old counters) counters {
	return counters{c.Requests - old.Requests, c.Mallocs - old.Mallocs, c.GCs - old.GCs, c.Dropped - old.Dropped}
}
