package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posternhq/postern/bench/rig"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Spread
	}{
		{[]float64{3}, Spread{3, 3, 3}},
		{[]float64{3, 1, 2}, Spread{2, 1, 3}},
		{[]float64{4, 1, 3, 2}, Spread{3, 1, 4}},
	} {
		if got := spread(c.values); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.values, got, c.want)
		}
	}
}

// The machine became twice as slow in the second round: ratios within a round do not see it.
func TestRatiosAreWithinARound(t *testing.T) {
	allocs := 0.5
	samples := map[string][]Sample{
		postern:      {{CPU: 30, Allocs: &allocs, Requests: 10}, {CPU: 60, Allocs: &allocs, Requests: 10, Dropped: 1}},
		nginx:        {{CPU: 20}, {CPU: 40}},
		haproxy:      {{CPU: 30}, {CPU: 60}},
		reverseProxy: {{CPU: 150}, {CPU: 300}},
	}
	s := summarize("plain HTTP", samples)
	for name, want := range map[string]float64{nginx: 1.5, haproxy: 1, reverseProxy: 0.2} {
		if got := s.Ratios[name]; math.Abs(got.Median-want) > 1e-9 || got.Min != got.Max {
			t.Errorf("%s: %+v, want %v in each round", name, got, want)
		}
	}
	dir := filepath.Join(t.TempDir(), "results")
	r := Report{Machine: rig.Machine{Versions: map[string]string{nginx: "1.2.3"}}, Options: Options{Rounds: 2}, Scenarios: []Scenario{*s}}
	var out strings.Builder
	if err := r.write(dir, &out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "passthrough.md"))
	if err != nil || string(text) != out.String() {
		t.Errorf("what is printed is not what is written (%v)", err)
	}
	for _, want := range []string{"| plain HTTP | **1.50** (1.50–1.50) | **1.00** (1.00–1.00) | **0.20** (0.20–0.20) |", "nginx 1.2.3", "for 95.0 % of its requests", "| 60.0 (30.0–60.0) |"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestParseCounters(t *testing.T) {
	c, err := parseCounters(strings.NewReader(`# HELP ks_server_request_total Requests.
# TYPE ks_server_request_total counter
ks_server_request_total{code="200",verb="get"} 1e+06
ks_server_request_total{code="403",verb="a b"} 2
ks_server_request_total_other 5
go_memstats_mallocs_total 123456
go_gc_duration_seconds{quantile="0"} 1
go_gc_duration_seconds_count 7
postern_log_lines_dropped_total 0
`))
	if want := (counters{Requests: 1000002, Mallocs: 123456, GCs: 7}); err != nil || c != want {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := parseCounters(strings.NewReader("go_memstats_mallocs_total x\n")); err == nil {
		t.Error("a metric without a number is accepted")
	}
}
