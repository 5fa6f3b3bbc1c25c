package kubeproxy

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/upstream"
)

func TestMain(m *testing.M) {
	// Of fasthttp's own: the clock of the Date header, and a stopped server's sleeping pool of workers.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

var alice = &exchange.User{
	Name: "alice", UID: "u-1", Groups: []string{"dev", "system:authenticated", DefaultGroup, ""},
	Extra: map[string][]string{"iam.kubesphere.io/Login%": {"x", "y"}},
}

// start serves s on loopback: as user, with the info that the path says.
func start(t *testing.T, s *Stage, user *exchange.User) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve := func(x *exchange.Exchange) {
		x.ID, x.User, x.Info = "id-1", user, infoOf(string(x.HTTP.Path()))
		s.Serve(x, func(x *exchange.Exchange) { x.HTTP.SetBodyString("next") })
	}
	srv := &fasthttp.Server{
		StreamRequestBody: true, DisableHeaderNamesNormalizing: true, DisablePreParseMultipartForm: true, CloseOnShutdown: true,
		Handler: func(ctx *fasthttp.RequestCtx) { exchange.Run(ctx, new(exchange.Peer), time.Now(), serve) },
	}
	done := make(chan struct{})
	go func() { _ = srv.Serve(l); close(done) }()
	t.Cleanup(func() { s.Close(); _ = srv.Shutdown(); <-done })
	return "http://" + l.Addr().String()
}

func infoOf(path string) exchange.RequestInfo {
	info := exchange.RequestInfo{Path: path, IsKubernetesRequest: strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/apis/")}
	if strings.HasSuffix(path, "/exec") {
		info.IsResourceRequest, info.Subresource = true, "exec"
	}
	return info
}

// echo is a kube-apiserver that says what it was asked.
func echo(t *testing.T) (*httptest.Server, *rest.Config) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s\n", r.Method, r.RequestURI)
		_ = r.Header.Write(w)
	}))
	t.Cleanup(srv.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	return srv, &rest.Config{Host: srv.URL, BearerToken: "gateway", TLSClientConfig: rest.TLSClientConfig{CAData: ca}}
}

func newStage(t *testing.T, opt Options) *Stage {
	t.Helper()
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// do asks as net/http does and returns code and body.
func do(t *testing.T, method, url string, header http.Header) (int, string) {
	t.Helper()
	q, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		q.Header = header
	}
	tr := &http.Transport{DisableCompression: true}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr, Timeout: 30 * time.Second}).Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestIdentity: the three ways to say who asks; the user's own credentials, and claims to be somebody, never pass.
func TestIdentity(t *testing.T) {
	forged := http.Header{
		"Authorization": {"Bearer users"}, "Cookie": {"token=users"}, "Impersonate-User": {"root"}, "Impersonate-Group": {"system:masters"},
		"impersonate-extra-a": {"b"}, "Impersonate-Uid": {"0"}, "X-Remote-User": {"root"}, "X-Remote-Extra-A": {"b"}, "X-Kubesphere-Authorization": {"x"},
		"X-Forwarded-For": {"6.6.6.6"}, "X-Real-Ip": {"6.6.6.6"}, "X-Request-Id": {"forged"}, "Forwarded": {"for=6.6.6.6"}, "X-Client-Cert": {"x"},
		"Accept": {"application/json"}, "User-Agent": {"kubectl"}, "Accept-Encoding": {"identity"},
	}
	const always = "Accept: application/json\r\nAccept-Encoding: identity\r\nAuthorization: Bearer gateway\r\n"
	const tail = "User-Agent: kubectl\r\nX-Forwarded-For: 127.0.0.1\r\nX-Request-Id: id-1\r\n"
	for mode, want := range map[Identity]string{
		"":          always + "Impersonate-Group: postern:decided\r\nImpersonate-User: alice\r\n" + tail,
		Impersonate: always + "Impersonate-Group: postern:decided\r\nImpersonate-User: alice\r\n" + tail,
		Strict: always + "Impersonate-Extra-Iam.kubesphere.io%2flogin%25: x\r\nImpersonate-Extra-Iam.kubesphere.io%2flogin%25: y\r\n" +
			"Impersonate-Group: dev\r\nImpersonate-Group: system:authenticated\r\nImpersonate-Uid: u-1\r\nImpersonate-User: alice\r\n" + tail,
		Plain: always + tail,
	} {
		_, cfg := echo(t)
		addr := start(t, newStage(t, Options{Config: cfg, Identity: mode}), alice)
		code, body := do(t, "GET", addr+"/api/v1/pods?limit=5&continue=a%2Fb&&x", forged.Clone())
		if want := "GET /api/v1/pods?limit=5&continue=a%2Fb&&x\n" + want; code != 200 || !strings.EqualFold(body, want) {
			t.Errorf("%s: got %d %q\nwant %q", mode, code, body, want)
		}
	}
}

// TestNobody: without a name that a header can carry as it is, nothing is sent: it would be sent as the gateway, or as
// somebody else.
func TestNobody(t *testing.T) {
	for name, u := range map[string]*exchange.User{
		"none": nil, "empty": {}, "newline": {Name: "a\r\nImpersonate-Group: system:masters"}, "nul": {Name: "a\x00"},
		"space before": {Name: " admin"}, "tab behind": {Name: "admin\t"},
	} {
		for _, mode := range []Identity{Impersonate, Strict} {
			_, cfg := echo(t)
			s := newStage(t, Options{Config: cfg, Identity: mode})
			code, body := do(t, "GET", start(t, s, u)+"/api/v1/pods", nil)
			if code != 500 || !strings.Contains(body, `"reason":"InternalError"`) || s.Stats().Dials != 0 {
				t.Errorf("%s, %s: got %d %s", name, mode, code, body)
			}
		}
	}
	_, cfg := echo(t)
	s := newStage(t, Options{Config: cfg, Identity: Strict})
	bad := &exchange.User{Name: "a", Groups: []string{"b\nc"}}
	if code, _ := do(t, "GET", start(t, s, bad)+"/api/v1/pods", nil); code != 500 || s.Stats().Dials != 0 {
		t.Errorf("group: got %d", code)
	}
	_, cfg = echo(t)
	anonymous := &exchange.User{Name: "system:anonymous", Groups: []string{"system:unauthenticated"}}
	code, body := do(t, "GET", start(t, newStage(t, Options{Config: cfg, Identity: Strict}), anonymous)+"/version", nil)
	if code != 200 || !strings.Contains(body, "Impersonate-User: system:anonymous\r\n") {
		t.Errorf("anonymous: got %d %s", code, body)
	}
}

func TestPaths(t *testing.T) {
	_, cfg := echo(t)
	cfg.Host += "/k8s/clusters/c-1/"
	s := newStage(t, Options{Config: cfg})
	addr := start(t, s, alice)
	for _, p := range []string{"/api", "/apis", "/api/v1", "/version", "/version/", "/openapi/v2", "/openapi/v3/apis/a", "/api/v1/namespaces/a/pods/b%2Fc"} {
		if code, body := do(t, "GET", addr+p, nil); code != 200 || !strings.HasPrefix(body, "GET /k8s/clusters/c-1"+p+"\n") {
			t.Errorf("%s: got %d %q", p, code, body)
		}
	}
	for _, p := range []string{"/", "/kapis/a/v1/b", "/healthz", "/versions", "/openapi", "/metrics", "/oauth/token"} {
		if _, body := do(t, "GET", addr+p, nil); body != "next" {
			t.Errorf("%s: got %q", p, body)
		}
	}
}

// TestBearerProtocol: a token in a WebSocket's list of protocols is a credential; the rest of the list passes.
func TestBearerProtocol(t *testing.T) {
	_, cfg := echo(t)
	addr := start(t, newStage(t, Options{Config: cfg}), alice)
	for in, want := range map[string]string{
		"base64url.bearer.authorization.k8s.io.dG9r, v5.channel.k8s.io, v4.channel.k8s.io": "v5.channel.k8s.io, v4.channel.k8s.io",
		"v5.channel.k8s.io,BASE64URL.bearer.authorization.k8s.io.dG9r":                     "v5.channel.k8s.io",
		"base64url.bearer.authorization.k8s.io.dG9r":                                       "",
	} {
		_, body := do(t, "GET", addr+"/api/v1/x", http.Header{"Sec-Websocket-Protocol": {in}})
		_, got, found := strings.Cut(body, "Sec-Websocket-Protocol: ")
		got, _, _ = strings.Cut(got, "\r\n")
		if got != want || found != (want != "") || strings.Contains(strings.ToLower(body), "dg9r") {
			t.Errorf("%q: got %q", in, body)
		}
	}
}

// TestTokenFile: a token that rotates is read again after a minute, or when it has been refused.
func TestTokenFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(s string) {
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one\n")
	c, err := newCredentials(&rest.Config{BearerTokenFile: file, BearerToken: "ignored"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(0, c.read.Load())
	check := func(after time.Duration, want string) {
		t.Helper()
		if got := string(c.header(now.Add(after))); got != "Authorization: Bearer "+want+"\r\n" {
			t.Errorf("after %v: got %q", after, got)
		}
	}
	write("two")
	check(59*time.Second, "one")
	check(61*time.Second, "two")
	write("three")
	check(63*time.Second, "two")
	c.suspect()
	check(64*time.Second, "three")
	write("")
	check(200*time.Second, "three") // an empty file is not a token
	write("x\r\nImpersonate-User: y")
	check(300*time.Second, "three")
	if _, err := newCredentials(&rest.Config{BearerTokenFile: file + ".not"}); err == nil {
		t.Error("a missing file was accepted")
	}
}

// TestErrors: what kubectl gets when kube-apiserver does not answer.
func TestErrors(t *testing.T) {
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	dead := l.Addr().String()
	_ = l.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, tc := range []struct {
		host   string
		code   int
		reason string
	}{{"http://" + dead, 502, "BadGateway"}, {"http://" + silent.Addr().String(), 504, "Timeout"}} {
		s := newStage(t, Options{Config: &rest.Config{Host: tc.host}, Pool: upstream.Options{HeaderTimeout: 50 * time.Millisecond}})
		code, body := do(t, "GET", start(t, s, alice)+"/api/v1/pods", nil)
		var st struct{ Kind, Reason, Message string }
		if err := json.Unmarshal([]byte(body), &st); err != nil || code != tc.code || st.Kind != "Status" || st.Reason != tc.reason ||
			strings.Contains(body, "127.0.0.1") {
			t.Errorf("got %d %s", code, body)
		}
	}
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Www-Authenticate", "Bearer")
		w.WriteHeader(401)
		_, _ = io.WriteString(w, `{"kind":"Status","code":401}`)
	}))
	defer refusing.Close()
	code, body := do(t, "GET", start(t, newStage(t, Options{Config: &rest.Config{Host: refusing.URL}}), alice)+"/api/v1/pods", nil)
	if code != 502 || !strings.Contains(body, "gateway's credential") {
		t.Errorf("gateway refused: got %d %s", code, body)
	}
	closed := newStage(t, Options{Config: &rest.Config{Host: "http://" + dead}})
	addr := start(t, closed, alice)
	closed.Close()
	resp, err := http.Get(addr + "/api/v1/pods")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("got %d, %v", resp.StatusCode, resp.Header)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, opt := range map[string]Options{
		"no config": {}, "scheme": {Config: &rest.Config{Host: "ftp://a"}}, "query": {Config: &rest.Config{Host: "http://a?b"}},
		"identity": {Config: &rest.Config{Host: "a"}, Identity: "root"}, "group": {Config: &rest.Config{Host: "a"}, Group: "a\nb"},
		"plug-in": {Config: &rest.Config{Host: "a", ExecProvider: &clientcmdapi.ExecConfig{Command: "x"}}},
		"token":   {Config: &rest.Config{Host: "a", BearerToken: "a\r\nb"}},
		"ca":      {Config: &rest.Config{Host: "a", TLSClientConfig: rest.TLSClientConfig{CAFile: "/nonexistent"}}},
	} {
		if s, err := New(opt); err == nil {
			t.Errorf("%s: got %+v", name, s)
		} else if strings.Contains(err.Error(), "a\\r\\nb") {
			t.Errorf("%s: the error shows the credential: %v", name, err)
		}
	}
}

func TestTarget(t *testing.T) {
	for host, want := range map[string]string{
		"": "http://localhost localhost:80", "a": "http://a a:80", "a:6443": "http://a:6443 a:6443", "https://a": "https://a a:443",
		"https://[::1]:6443/x/": "https://[::1]:6443/x [::1]:6443",
	} {
		got, err := targetOf(&rest.Config{Host: host})
		if s := got.String() + " " + got.addr; err != nil || s != want {
			t.Errorf("%q: got %q, %v", host, s, err)
		}
	}
	got, err := targetOf(&rest.Config{Host: "a", TLSClientConfig: rest.TLSClientConfig{Insecure: true}})
	if err != nil || got.String() != "https://a" || got.tls.MinVersion < tls.VersionTLS12 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestExplain(t *testing.T) {
	_, cfg := echo(t)
	s := newStage(t, Options{Config: cfg, Identity: Strict})
	defer s.Close()
	x := &exchange.Exchange{User: alice, Info: exchange.RequestInfo{Path: "/api/v1/pods", IsKubernetesRequest: true}}
	f := s.Explain(x)
	b, _ := json.Marshal(f)
	for _, want := range []string{`"verdict":"answer"`, cfg.Host, `"identity":"strict"`, `"credential":"token"`, `"Impersonate-Group: dev"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s lacks %s", b, want)
		}
	}
	if strings.Contains(string(b), "gateway") {
		t.Errorf("the credential shows: %s", b)
	}
	x.User = &exchange.User{Name: "a\r\nb"}
	if f := s.Explain(x); f.Verdict != exchange.Refuse || f.Code != 500 {
		t.Errorf("got %+v", f)
	}
	x.User = nil // nobody is named
	if f := s.Explain(x); f.Verdict != exchange.Answer || f.Code != 0 {
		t.Errorf("got %+v", f)
	}
	x.Info = exchange.RequestInfo{Path: "/kapis/x"}
	if f := s.Explain(x); f.Verdict != exchange.Pass {
		t.Errorf("got %+v", f)
	}
	if s.Stats().Dials != 0 {
		t.Error("explaining opened a connection")
	}
}
