package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	watches     = 1000
	watchesHold = time.Minute
)

// TestThousandWatches holds 1,000 watches for a minute, has an event reach each of them, and prints what one costs the
// gateway in memory. When the clients have gone, so have the connections behind them.
func TestThousandWatches(t *testing.T) {
	name := "watched"
	kubectl(t, "admin", "-n", "demo-shop", "create", "configmap", name)
	t.Cleanup(func() { kubectl(t, "admin", "-n", "demo-shop", "delete", "configmap", name) })
	transport := &http.Transport{MaxIdleConnsPerHost: watches}
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport}
	before := liveKB(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	var opened, seen, broken atomic.Int64
	start := time.Now()
	for i := range watches {
		all.Go(func() { holdWatch(ctx, t, c, name, &opened, &seen, &broken) })
		if i%50 == 49 {
			awaitCount(t, &opened, int64(i+1-25)) // not all TLS handshakes at once: it is memory that is measured
		}
	}
	awaitCount(t, &opened, watches)
	took := time.Since(start)
	kubectl(t, "admin", "-n", "demo-shop", "patch", "configmap", name, `-p={"data":{"now":"1"}}`)
	awaitCount(t, &seen, watches)
	time.Sleep(time.Until(start.Add(watchesHold)))
	if n := broken.Load(); n > 0 {
		t.Errorf("%d watches ended by themselves", n)
	}
	held := liveKB(t) - before
	t.Logf("%d watches opened in %s and held for %s: %.1f KiB of the gateway's memory each (heap and stacks, TLS to kube-apiserver included)",
		watches, took.Round(time.Millisecond), watchesHold, held/watches)
	cancel()
	all.Wait()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if n := metric(t, `postern_upstream_connections{state="busy"}`); n < 50 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the connections to kube-apiserver are held though the clients have gone")
		}
	}
}

// holdWatch opens one watch and reads it until ctx ends.
func holdWatch(ctx context.Context, t *testing.T, c *http.Client, name string, opened, seen, broken *atomic.Int64) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		stack.URLs["gateway"]+"/api/v1/namespaces/demo-shop/configmaps?watch=1&fieldSelector=metadata.name%3D"+name, nil)
	if err != nil {
		t.Error(err)
		return
	}
	req.SetBasicAuth("alice", userPassword(t, "alice"))
	resp, err := c.Do(req)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	events := bufio.NewScanner(resp.Body)
	for n := 0; events.Scan(); n++ {
		switch {
		case n == 0:
			opened.Add(1)
		case strings.Contains(events.Text(), `"now":"1"`):
			seen.Add(1)
		}
	}
	if ctx.Err() == nil {
		broken.Add(1)
	}
}

func awaitCount(t *testing.T, n *atomic.Int64, want int64) {
	t.Helper()
	for end := time.Now().Add(time.Minute); n.Load() < want; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d after a minute", n.Load(), want)
		}
	}
}

// liveKB is the gateway's live memory after a garbage collection, KiB: heap and stacks.
func liveKB(t *testing.T) float64 {
	t.Helper()
	adminGet(t, "/debug/pprof/heap?gc=1")
	return (metric(t, "go_memstats_heap_alloc_bytes") + metric(t, "go_memstats_stack_inuse_bytes")) / 1024
}

// metric reads one sample of the gateway's metrics.
func metric(t *testing.T, sample string) float64 {
	t.Helper()
	for line := range strings.Lines(adminGet(t, "/metrics")) {
		if rest, ok := strings.CutPrefix(line, sample+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("there is no metric %s", sample)
	return 0
}

func decode(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("cannot decode: %v: %.300s", err, text)
	}
}
