package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

const wrkOutput = `Running 5s test @ http://127.0.0.1:20001/api/v1/namespaces/default/configmaps/bench
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.11ms    5.02ms 186.73ms   97.71%
    Req/Sec    17.44k     3.31k   24.26k    72.00%
  Latency Distribution
     50%  840.00us
     75%    3.63ms
     90%    5.02ms
     99%    1.02s 
  86812 requests in 5.01s, 141.72MB read
Requests/sec:  17333.79
Transfer/sec:     28.30MB
`

func TestParseWrk(t *testing.T) {
	got, err := parseWrk([]byte(wrkOutput))
	want := load{Requests: 86812, PerSecond: 17333.79, P50: 840 * time.Microsecond, P99: 1020 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = parseWrk([]byte(wrkOutput + "  Socket errors: connect 0, read 0, write 0, timeout 12\n"))
	if want.Timeouts = 12; err != nil || got != want {
		t.Errorf("with timeouts: %+v, %v", got, err)
	}
}

func TestParseWrkRefuses(t *testing.T) {
	for text, want := range map[string]error{
		wrkOutput + "  Socket errors: connect 0, read 3, write 0, timeout 0\n":  errFailures,
		wrkOutput + "  Socket errors: connect 64, read 0, write 0, timeout 0\n": errFailures,
		wrkOutput + "  Non-2xx or 3xx responses: 86812\n":                       errFailures,
		"": errWrkFormat,
		"unable to connect to 127.0.0.1:1 Connection refused\n": errWrkFormat,
	} {
		if _, err := parseWrk([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%v instead of %v for:\n%s", err, want, text)
		}
	}
}

func TestParseWrkNeedsEveryLine(t *testing.T) {
	for _, line := range []string{"     50%", "     99%", "  86812 requests", "Requests/sec:"} {
		if _, err := parseWrk([]byte(strings.Replace(wrkOutput, line, "x", 1))); !errors.Is(err, errWrkFormat) {
			t.Errorf("without %q: %v", line, err)
		}
	}
}
