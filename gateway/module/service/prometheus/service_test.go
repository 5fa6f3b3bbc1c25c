package prometheus

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start makes a service in front of a server, whose API is under /prom.
func start(t *testing.T, h http.HandlerFunc) *Service {
	t.Helper()
	server := httptest.NewServer(h)
	s, err := New(Options{Endpoint: server.URL + "/prom/"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		server.Close()
	})
	return s
}

func callOf(tagsAndValues ...any) *service.Call {
	var r hostabi.Record
	for i := 0; i < len(tagsAndValues); i += 2 {
		r = r.Append(tagsAndValues[i].(hostabi.Tag), tagsAndValues[i+1].(string))
	}
	return &service.Call{Module: "test", Grants: &service.Grants{Prometheus: true}, RequestID: "id-1", Record: r, MaxBytes: 1 << 20}
}

func do(s *Service, tagsAndValues ...any) service.Result {
	return s.Do(context.Background(), callOf(tagsAndValues...))
}

// Each operation becomes the request of Prometheus' API; nothing in a value can become another parameter.
func TestOperations(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		timeout := r.Form.Get("timeout")
		r.Form.Del("timeout")
		left, err := strconv.ParseFloat(timeout, 64) // what every version of Prometheus reads
		if evaluates := strings.Contains(r.URL.Path, "query"); evaluates != (err == nil && left > 0 && left <= 30) || !evaluates && timeout != "" {
			t.Errorf("%s has timeout %q", r.URL, timeout)
		}
		if r.Header.Get("X-Request-Id") != "id-1" {
			t.Errorf("headers are %v", r.Header)
		}
		fmt.Fprintf(w, `{"status":"success","data":%q}`, r.Method+" "+r.URL.Path+" "+r.Form.Encode())
	})
	long := `up{x="` + strings.Repeat("y", 3000) + `"}`
	for _, c := range []struct {
		want string
		args []any
	}{
		{"GET /prom/api/v1/query query=up%7Ba%3D%22b%26time%3D1%22%7D&time=1.5", []any{hostabi.TagOperation, "query", hostabi.TagExpr, `up{a="b&time=1"}`, hostabi.TagTime, "1.5"}},
		{"POST /prom/api/v1/query query=up%7Bx%3D%22" + strings.Repeat("y", 3000) + "%22%7D", []any{hostabi.TagOperation, "query", hostabi.TagExpr, long}},
		{"GET /prom/api/v1/query_range end=20&query=up&start=10&step=0.5", []any{
			hostabi.TagOperation, "query_range", hostabi.TagExpr, "up", hostabi.TagStart, "10", hostabi.TagEnd, "20", hostabi.TagStep, "0.5",
		}},
		{"GET /prom/api/v1/series end=2&match%5B%5D=a&match%5B%5D=b&start=1", []any{
			hostabi.TagOperation, "series", hostabi.TagMatch, "a", hostabi.TagMatch, "b", hostabi.TagStart, "1", hostabi.TagEnd, "2",
		}},
		{"GET /prom/api/v1/labels match%5B%5D=up", []any{hostabi.TagOperation, "labels", hostabi.TagMatch, "up"}},
		{"GET /prom/api/v1/label/node/values ", []any{hostabi.TagOperation, "label_values", hostabi.TagLabel, "node"}},
		{"GET /prom/api/v1/metadata metric=up", []any{hostabi.TagOperation, "metadata", hostabi.TagMetric, "up"}},
		{"GET /prom/api/v1/targets/metadata match_target=%7Bnamespace%3D%22x%22%7D&metric=up", []any{
			hostabi.TagOperation, "targets_metadata", hostabi.TagMetric, "up", hostabi.TagMatch, `{namespace="x"}`,
		}},
	} {
		if got := do(s, c.args...); got.Code != hostabi.OK || got.Status != 200 || string(got.Body) != `"`+c.want+`"` {
			t.Errorf("%+v\ngot  %s\nwant %s", got.Err, got.Body, c.want)
		}
	}
}

func TestRefusesCrookedCalls(t *testing.T) {
	s := start(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("sent %s", r.URL) })
	for name, args := range map[string][]any{
		"no operation": {}, "operation": {hostabi.TagOperation, "admin/tsdb/snapshot"}, "no query": {hostabi.TagOperation, "query"},
		"time":         {hostabi.TagOperation, "query", hostabi.TagExpr, "up", hostabi.TagTime, "1&x=2"},
		"not a number": {hostabi.TagOperation, "query", hostabi.TagExpr, "up", hostabi.TagTime, "NaN"},
		"no step":      {hostabi.TagOperation, "query_range", hostabi.TagExpr, "up", hostabi.TagStart, "1", hostabi.TagEnd, "2"},
		"step of 0": {
			hostabi.TagOperation, "query_range", hostabi.TagExpr, "up", hostabi.TagStart, "1", hostabi.TagEnd, "2", hostabi.TagStep, "0",
		},
		"start of an instant": {hostabi.TagOperation, "query", hostabi.TagExpr, "up", hostabi.TagStart, "1"},
		"label":               {hostabi.TagOperation, "label_values", hostabi.TagLabel, "../status/config?"},
		"two matches":         {hostabi.TagOperation, "targets_metadata", hostabi.TagMatch, "a", hostabi.TagMatch, "b"},
		"two queries":         {hostabi.TagOperation, "query", hostabi.TagExpr, "up", hostabi.TagExpr, "down"},
		"series of nothing":   {hostabi.TagOperation, "series"},
	} {
		if got := do(s, args...); got.Code != hostabi.BadArgument || got.Err == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for _, grants := range []*service.Grants{nil, {}} {
		call := callOf(hostabi.TagOperation, "query", hostabi.TagExpr, "up")
		call.Grants = grants
		if got := s.Do(t.Context(), call); got.Code != hostabi.Denied {
			t.Errorf("%+v", got)
		}
	}
	for _, endpoint := range []string{"", "prometheus:9090", "ftp://x", "http://"} {
		if _, err := New(Options{Endpoint: endpoint}); err == nil {
			t.Errorf("endpoint %q passes", endpoint)
		}
	}
}

var up = []any{hostabi.TagOperation, "query", hostabi.TagExpr, "up"}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		code   hostabi.Code
		want   string // the data, or the error's words
	}{
		{200, `{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["w"]}`, hostabi.OK, `{"resultType":"vector","result":[]}`},
		{200, ` { "infos": [], "data" : [1], "status" : "success" } `, hostabi.OK, `[1]`},
		{200, `{"status":"success"}`, hostabi.OK, `null`},
		{200, `<html>log in</html>`, hostabi.Upstream, "Prometheus answered what is not of its API"},
		{400, `{"status":"error","errorType":"bad_data","error":"parse error: \"x\""}`, hostabi.BadArgument, `parse error: "x"`},
		{422, `{"status":"error","errorType":"execution","error":"too many samples"}`, hostabi.Upstream, "too many samples"},
		{503, `{"status":"error","errorType":"timeout","error":"query timed out"}`, hostabi.Deadline, "query timed out"},
		{503, `{"status":"error","errorType":"unavailable","error":"not ready"}`, hostabi.Unavailable, "not ready"},
		{404, `404 page not found`, hostabi.Upstream, "Prometheus answered 404: 404 page not found"},
		{502, ``, hostabi.Unavailable, "Prometheus answered 502: "},
		{504, ``, hostabi.Deadline, "Prometheus answered 504: "},
		{429, ``, hostabi.Unavailable, "Prometheus answered 429: "},
		{302, ``, hostabi.Upstream, "Prometheus answered 302: "},
	} {
		s := start(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.body)
		})
		got := do(s, up...)
		text := got.Err
		if c.code == hostabi.OK {
			text = string(got.Body)
		}
		if got.Code != c.code || got.Status != c.status || text != c.want {
			t.Errorf("%d %s: %+v", c.status, c.body, got)
		}
	}
}

func TestBounds(t *testing.T) {
	var left atomic.Int64
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.FormValue("query"), "hang") {
			<-r.Context().Done() // Prometheus ends a query with its client, too
			left.Add(1)
			return
		}
		fmt.Fprintf(w, `{"status":"success","data":%q}`, strings.Repeat("x", 2<<20))
	})
	if got := do(s, up...); got.Code != hostabi.TooLarge || got.Body != nil {
		t.Errorf("%v, %d bytes", got.Code, len(got.Body))
	}
	hang := callOf(hostabi.TagOperation, "query", hostabi.TagExpr, "hang")
	late, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if got := s.Do(late, hang); got.Code != hostabi.Deadline {
		t.Errorf("%+v", got)
	}
	gone, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	if got := s.Do(gone, hang); got.Code != hostabi.Canceled {
		t.Errorf("%+v", got)
	}
	for end := time.Now().Add(10 * time.Second); left.Load() != 2; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("queries outlive their clients")
		}
	}
	dead := start(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if got := do(dead, up...); got.Code != hostabi.Unavailable {
		t.Errorf("%+v", got)
	}
}

// Fifty queries run side by side, and their connections serve the next fifty.
func TestFanOut(t *testing.T) {
	const n = 50
	var connections atomic.Int64
	var waiting sync.WaitGroup
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		waiting.Done()
		waiting.Wait() // answers when all have come
		fmt.Fprint(w, `{"status":"success","data":1}`)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	s, err := New(Options{Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 3 {
		waiting.Add(n)
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				if got := do(s, up...); got.Code != hostabi.OK {
					t.Errorf("%+v", got)
				}
			})
		}
		wg.Wait()
	}
	// A connection that a finished query gives back late makes the next round dial one more: allow a few, not 150.
	if c := connections.Load(); c > 2*n {
		t.Errorf("%d connections for %d queries at a time", c, n)
	}
}
