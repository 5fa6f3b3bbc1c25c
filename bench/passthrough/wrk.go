package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// load is what the load generator saw.
type load struct {
	Requests  int64
	PerSecond float64
	P50, P99  time.Duration
	Timeouts  int64 // requests that took more than two seconds
}

// wrk puts load on a URL and waits for its end. An answer that is no success is an error: it would not be comparable.
func (t *tools) wrk(ctx context.Context, o options, length time.Duration, token, url string) (load, error) {
	seconds := max(1, int(length.Round(time.Second)/time.Second))
	ctx, cancel := context.WithTimeout(ctx, length+20*time.Second)
	defer cancel()
	// One thread: wrk costs less than any proxy, and a second one would take turns with the target on a small machine.
	cmd := exec.CommandContext(ctx, t.path["wrk"], "--latency", "-t1", "-c"+strconv.Itoa(o.connections),
		"-d"+strconv.Itoa(seconds)+"s", "-H", "Authorization: Bearer "+token, url)
	cmd.Env = t.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		return load{}, fmt.Errorf("cannot put load on %s: %w\n%s", url, errors.Join(ctx.Err(), err), out)
	}
	l, err := parseWrk(out)
	if err != nil {
		return load{}, fmt.Errorf("cannot read wrk's result for %s: %w\n%s", url, err, out)
	}
	return l, nil
}

var (
	wrkRequests  = regexp.MustCompile(`(?m)^\s*(\d+) requests in `)
	wrkPerSecond = regexp.MustCompile(`(?m)^Requests/sec:\s*([\d.]+)`)
	wrkP50       = regexp.MustCompile(`(?m)^\s*50(?:\.0+)?%\s+([\d.]+)(us|ms|s|m|h)\s*$`)
	wrkP99       = regexp.MustCompile(`(?m)^\s*99(?:\.0+)?%\s+([\d.]+)(us|ms|s|m|h)\s*$`)
	wrkRefused   = regexp.MustCompile(`(?m)^\s*Non-2xx or 3xx responses: \d+`)
	wrkErrors    = regexp.MustCompile(`(?m)^\s*Socket errors: (connect \d+, read \d+, write \d+), timeout (\d+)`)

	errWrkFormat = errors.New("not in the format of wrk 4")
	errFailures  = errors.New("some requests failed")
)

// parseWrk reads what wrk prints.
func parseWrk(out []byte) (load, error) {
	timeouts, err := wrkFailures(out)
	if err != nil {
		return load{}, err
	}
	requests, perSecond := wrkRequests.FindSubmatch(out), wrkPerSecond.FindSubmatch(out)
	p50, p99 := wrkP50.FindSubmatch(out), wrkP99.FindSubmatch(out)
	if requests == nil || perSecond == nil || p50 == nil || p99 == nil {
		return load{}, errWrkFormat
	}
	n, err1 := strconv.ParseInt(string(requests[1]), 10, 64)
	rate, err2 := strconv.ParseFloat(string(perSecond[1]), 64)
	d50, err3 := wrkTime(p50)
	d99, err4 := wrkTime(p99)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return load{}, errors.Join(errWrkFormat, err)
	}
	if n == 0 {
		return load{}, fmt.Errorf("%w: none was answered", errFailures)
	}
	return load{Requests: n, PerSecond: rate, P50: d50, P99: d99, Timeouts: timeouts}, nil
}

// wrkFailures counts timeouts, which a busy machine may cause; anything else that failed is an error.
func wrkFailures(out []byte) (timeouts int64, err error) {
	if m := wrkRefused.Find(out); m != nil {
		return 0, fmt.Errorf("%w: %s", errFailures, bytes.TrimSpace(m))
	}
	m := wrkErrors.FindSubmatch(out)
	if m == nil {
		return 0, nil
	}
	if string(m[1]) != "connect 0, read 0, write 0" {
		return 0, fmt.Errorf("%w: %s", errFailures, bytes.TrimSpace(m[0]))
	}
	return strconv.ParseInt(string(m[2]), 10, 64)
}

// wrkTime is a time as wrk prints it: units are those of Go.
func wrkTime(match [][]byte) (time.Duration, error) {
	return time.ParseDuration(string(match[1]) + string(match[2]))
}
