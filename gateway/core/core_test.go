package core

import (
	"encoding/json"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
)

// answer is what a stage made of a request.
type answer struct {
	code                       int
	body, contentType, allow   string
	handled, reason, requestID string
}

// ask has s serve one request.
func ask(t *testing.T, s *Stage, method string, info exchange.RequestInfo) (a answer) {
	t.Helper()
	var ctx fasthttp.RequestCtx
	ctx.Request.Header.SetMethod(method)
	ctx.Request.SetRequestURI("/taken/from/the/info")
	exchange.Run(&ctx, nil, time.Now(), func(x *exchange.Exchange) {
		x.ID, x.Info = "id-1", info
		s.Serve(x, func(*exchange.Exchange) { t.Error("passed on") })
		h := &x.HTTP.Response.Header
		a = answer{
			x.HTTP.Response.StatusCode(), string(x.HTTP.Response.Body()), string(h.ContentType()), string(h.Peek("Allow")),
			x.Handled, x.Reason, x.ID,
		}
	})
	if a.handled != "core" {
		t.Errorf("handled by %q", a.handled)
	}
	return a
}

func path(p string) exchange.RequestInfo { return exchange.RequestInfo{Path: p} }

func TestAlive(t *testing.T) {
	s := New(Options{Ready: func() error { return errors.New("roles have not been read") }})
	for _, method := range []string{"GET", "HEAD"} {
		for _, p := range []string{"/healthz", "/livez"} {
			if a := ask(t, s, method, path(p)); a.code != 200 || a.body != "ok" {
				t.Errorf("%s %s: %+v", method, p, a)
			}
		}
	}
	a := ask(t, s, "GET", path("/readyz"))
	if s := statusOf(t, a); a.code != 503 || s.Reason != "ServiceUnavailable" || s.Message != "not ready" || a.reason != "roles have not been read" {
		t.Errorf("not ready: %+v", a)
	}
	if a := ask(t, New(Options{Ready: func() error { return nil }}), "GET", path("/readyz")); a.code != 200 || a.body != "ok" {
		t.Errorf("ready: %+v", a)
	}
}

func TestVersion(t *testing.T) {
	kubernetes := []byte(`{"major":"1"}`)
	s := New(Options{Kubernetes: func() []byte { return kubernetes }})
	a := ask(t, s, "GET", path("/kapis/version"))
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatal(err)
	}
	if a.code != 200 || a.contentType != "application/json" || v["goVersion"] != runtime.Version() || v["gitVersion"] == "" ||
		v["platform"] != runtime.GOOS+"/"+runtime.GOARCH || !cmp.Equal(v["kubernetes"], map[string]any{"major": "1"}) {
		t.Errorf("%+v", a)
	}
	for _, key := range []string{"gitMajor", "gitMinor", "gitCommit", "gitTreeState", "buildDate", "compiler"} {
		if _, ok := v[key]; !ok {
			t.Errorf("no %s", key)
		}
	}
	if kubernetes = nil; ask(t, s, "GET", path("/kapis/version")).code != 200 {
		t.Error("no version while Kubernetes' is unknown")
	}
	if kubernetes = []byte("<html>"); ask(t, s, "GET", path("/kapis/version")).code != 500 {
		t.Error("no error for a version that is no JSON")
	}
	cluster := exchange.RequestInfo{Path: "/kapis/clusters/host/version", APIPrefix: "kapis", Cluster: "host"}
	if a := ask(t, New(Options{}), "GET", cluster); a.code != 200 {
		t.Errorf("of a cluster: %+v", a)
	}
}

func TestMajorMinor(t *testing.T) {
	for version, want := range map[string][2]string{"v1.2.3": {"1", "2"}, "v10.0.0-rc.1": {"10", "0"}, "(devel)": {}, "": {}} {
		if major, minor := majorMinor(version); [2]string{major, minor} != want {
			t.Errorf("%s: %s, %s", version, major, minor)
		}
	}
}

func TestPaths(t *testing.T) {
	groups := []string{"monitoring.kubesphere.io/v1alpha3", "kubeedge.kubesphere.io/"}
	s := New(Options{Groups: func() []string { return groups }})
	below := []string{"/kapis/kubeedge.kubesphere.io", "/kapis/monitoring.kubesphere.io/v1alpha3", "/kapis/version"}
	for _, p := range []string{"/kapis", "/kapis/"} {
		if diff := cmp.Diff(below, pathsOf(t, ask(t, s, "GET", path(p)))); diff != "" {
			t.Errorf("%s: %s", p, diff)
		}
	}
	all := pathsOf(t, ask(t, s, "GET", path("/")))
	for _, p := range append(below, "/api", "/apis", "/healthz", "/kapis", "/version") {
		if !slices.Contains(all, p) {
			t.Errorf("/ does not list %s", p)
		}
	}
	if !slices.IsSorted(all) {
		t.Errorf("not sorted: %v", all)
	}
	if got := pathsOf(t, ask(t, New(Options{}), "GET", path("/kapis"))); !cmp.Equal(got, []string{"/kapis/version"}) {
		t.Errorf("without groups: %v", got)
	}
}

// TestOwnPathsAreAnswered: `/` must not list what nobody answers.
func TestOwnPathsAreAnswered(t *testing.T) {
	proxied := []string{"/api", "/apis", "/openapi/v2", "/openapi/v3", "/version"}
	for _, p := range ownPaths {
		if code := ask(t, New(Options{}), "GET", path(p)).code; (code == 404) != slices.Contains(proxied, p) {
			t.Errorf("%s: %d", p, code)
		}
	}
}

func TestRefused(t *testing.T) {
	s := New(Options{})
	for _, p := range []string{
		"/nothing", "/kapis/nothing", "/healthz/", "/HEALTHZ", "/healthz/x", "/kapis/versions", "/kapis/versio", "/k", "/version",
		"/oauth/token", "/é", "", "/{path}",
	} {
		for _, method := range []string{"GET", "POST", "OPTIONS", "PROPFIND"} {
			a := ask(t, s, method, path(p))
			if st := statusOf(t, a); a.code != 404 || st.Code != 404 || st.Reason != "NotFound" || st.Message != notFound {
				t.Errorf("%s %s: %+v", method, p, a)
			}
		}
	}
	for _, method := range []string{"POST", "DELETE", "OPTIONS", "PROPFIND", "get"} {
		a := ask(t, s, method, path("/kapis/version"))
		if st := statusOf(t, a); a.code != 405 || st.Reason != "MethodNotAllowed" || a.allow != "GET, HEAD" {
			t.Errorf("%s: %+v", method, a)
		}
	}
	info := exchange.RequestInfo{Path: "/kapis/a.io/v1/things/x", APIGroup: "a.io", Resource: "things", Name: "x", IsResourceRequest: true}
	want := `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"the server could not find the requested resource",` +
		`"reason":"NotFound","details":{"name":"x","group":"a.io","kind":"things","causes":[{"reason":"RequestId","message":"id-1"}]},"code":404}` + "\n"
	if diff := cmp.Diff(want, ask(t, s, "GET", info).body); diff != "" {
		t.Error(diff)
	}
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		method, path string
		verdict      exchange.Verdict
		code         int
	}{
		{"GET", "/healthz", exchange.Answer, 0},
		{"POST", "/healthz", exchange.Refuse, 405},
		{"GET", "/nothing", exchange.Refuse, 404},
	} {
		var ctx fasthttp.RequestCtx
		ctx.Request.Header.SetMethod(c.method)
		exchange.Run(&ctx, nil, time.Now(), func(x *exchange.Exchange) {
			x.Info = path(c.path)
			f := New(Options{}).Explain(x)
			if f.Stage != "core" || f.Verdict != c.verdict || f.Code != c.code || f.Reason == "" {
				t.Errorf("%s %s: %+v", c.method, c.path, f)
			}
			if len(x.HTTP.Response.Body()) != 0 || x.Handled != "" {
				t.Error("explaining answered")
			}
		})
	}
}

type statusObject struct {
	Reason, Message string
	Code            int
}

func statusOf(t *testing.T, a answer) (s statusObject) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &s); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return s
}

func pathsOf(t *testing.T, a answer) []string {
	t.Helper()
	var p struct{ Paths []string }
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.code != 200 {
		t.Fatalf("%v: %+v", err, a)
	}
	return p.Paths
}
