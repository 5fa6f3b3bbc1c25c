package requestinfo

import (
	"bufio"
	"flag"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/klog/v2"
	"pgregory.net/rapid"
)

// kubernetes is how kube-apiserver reads requests.
var kubernetes = request.RequestInfoFactory{
	APIPrefixes:          sets.NewString("api", "apis"),
	GrouplessAPIPrefixes: sets.NewString("api"),
}

// TestMain silences the oracle, which logs every query that it cannot read.
func TestMain(m *testing.M) {
	klog.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// compare parses a request both ways and reports any difference. What we refuse, and what only the platform knows, is
// not compared; it returns whether it was.
func compare(t interface {
	Helper()
	Errorf(string, ...any)
}, method, target string,
) bool {
	t.Helper()
	path, query, _ := strings.Cut(target, "?")
	got, _, err := Parse([]byte(method), []byte(path), []byte(query), nil)
	if err != nil || got.Cluster != "" || strings.HasPrefix(got.APIPrefix, "kapi") {
		return false
	}
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: h\r\n\r\n")))
	if err != nil {
		t.Errorf("%s %q: we accept what net/http refuses: %v", method, target, err)
		return true
	}
	want, err := kubernetes.NewRequestInfo(req)
	if err != nil {
		t.Errorf("%s %q: we accept what Kubernetes refuses: %v", method, target, err)
		return true
	}
	if unreadable(req) {
		want.Name, want.Verb = got.Name, got.Verb
	}
	for _, f := range []struct{ field, ours, theirs string }{
		{"verb", got.Verb, want.Verb},
		{"path", got.Path, want.Path},
		{"prefix", got.APIPrefix, want.APIPrefix},
		{"group", got.APIGroup, want.APIGroup},
		{"version", got.APIVersion, want.APIVersion},
		{"namespace", got.Namespace, want.Namespace},
		{"resource", got.Resource, want.Resource},
		{"subresource", got.Subresource, want.Subresource},
		{"name", got.Name, want.Name},
		{"fields", got.FieldSelector, want.FieldSelector},
		{"labels", got.LabelSelector, want.LabelSelector},
		{"resource request", strconv.FormatBool(got.IsResourceRequest), strconv.FormatBool(want.IsResourceRequest)},
	} {
		if f.ours != f.theirs {
			t.Errorf("%s %q: %s %q, Kubernetes says %q", method, target, f.field, f.ours, f.theirs)
		}
	}
	return true
}

// unreadable says whether kube-apiserver answers 400 because of a list option that is none of ours to read.
func unreadable(req *http.Request) bool {
	q := req.URL.Query()
	for _, key := range []string{"limit", "timeoutSeconds"} {
		if v, ok := q[key]; ok {
			if _, err := strconv.ParseInt(v[0], 10, 64); err != nil {
				return true
			}
		}
	}
	_, err := labels.Parse(q.Get("labelSelector"))
	return err != nil
}

func TestAsKubernetes(t *testing.T) {
	for _, line := range []string{
		"GET /", "GET /api", "GET /api/v1", "GET /apis/apps", "GET /apis/apps/v1", "GET /openapi/v3/api/v1", "GET /healthz/etcd",
		"GET /api/v1/pods", "GET /api/v1/pods/", "HEAD /api/v1/namespaces/n/pods", "OPTIONS /api/v1/pods", "get /api/v1/pods",
		"GET /api/v1/namespaces/n", "PUT /api/v1/namespaces/n/finalize", "GET /api/v1/namespaces/n/status/x",
		"GET /api/v1/namespaces/n/pods/p/log", "GET /api/v1/watch/namespaces/n/pods/p", "GET /api/v1/proxy/nodes/n/x/y",
		"GET /api/v1/proxy/namespaces/n/services/y/x", "DELETE /api/v1/watch/pods", "GET /api/v1/watch/namespaces",
		"GET /apis/tenant.kubesphere.io/v1alpha1/workspaces/w/status", "GET /apis/a.io/v1/devops/d/namespaces/n",
		"GET /api/v1/workspaces/w/pods", "GET /apis/apps/v1/namespaces/n/deployments/d/scale?watch=1",
		"GET /api/v1/namespaces/n/services/https:y:443/proxy//a%2Fb/?c=d", "GET /%61pi/v1/p%6fds/%C3%A9",
		"GET /api/v1/pods/a%252Fb%2B+;", "GET /api/v1/pods?watch", "GET /api/v1/pods?watch=fAlse", "GET /api/v1/pods?watch=fal%C5%BFe",
		"GET /api/v1/pods?watch=0&watch=1", "GET /api/v1/pods?watch=1;&watch=0", "GET /api/v1/pods?%77atch=%zz&watch=",
		"GET /api/v1/pods?fieldSelector=metadata.name=b,metadata.name==a", "GET /api/v1/pods?fieldSelector=,metadata.name=b,",
		"GET /api/v1/pods?fieldSelector=metadata.name=,metadata.name=b", "GET /api/v1/pods?fieldSelector=metadata.name%3Db%5C%2Cc",
		"GET /api/v1/pods?fieldSelector=metadata.name=b%5C", "GET /api/v1/pods?fieldSelector=metadata.name=b%5Cx",
		"GET /api/v1/pods?fieldSelector=metadata.name=b=c", "GET /api/v1/pods?fieldSelector=metadata.name", "GET /api/v1/pods?fieldSelector=!=b",
		"GET /api/v1/pods?fieldSelector=metadata.name!==b", "GET /api/v1/pods?fieldSelector=+metadata.name=b",
		"GET /api/v1/pods?fieldSelector=metadata.name=%C3%A9%5C%2C%C3%A9", "DELETE /api/v1/pods?fieldSelector=metadata.name=a&labelSelector=b",
		"GET /api/v1/pods?a" + strings.Repeat("&a", maxParams-2) + "&watch=1",
	} {
		method, target, _ := strings.Cut(line, " ")
		if !compare(t, method, target) {
			t.Errorf("%.80s: refused", line)
		}
	}
}

// TestParamLimit: at the number of parameters from which on we refuse, Kubernetes stops to see any.
func TestParamLimit(t *testing.T) {
	target := "/api/v1/pods?a" + strings.Repeat("&a", maxParams-1) + "&watch=1"
	if compare(t, "GET", target) {
		t.Error("not refused")
	}
	req, err := http.NewRequest("GET", target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := kubernetes.NewRequestInfo(req); err != nil || info.Verb != "list" {
		t.Errorf("Kubernetes says %s, %v: the limit can go", info.Verb, err)
	}
}

// words are what the rules of a path look at, and what they don't.
var words = []string{
	"api", "apis", "v1", "v1beta1", "apps", "watch", "proxy", "namespaces", "pods", "status", "finalize", "workspaces", "devops",
	"clusters", "tenant.kubesphere.io", "nodes", "n", "log", "%61pi", "pr%6fxy", "a%20b", "x%2525", "é", "...", "a:b", "",
	"%2F", "a%2Fb", "..", "%2e",
}

// target draws a plausible request target: mostly of the right form, with something odd now and then.
func target(t *rapid.T) string {
	word := rapid.SampledFrom(words)
	path := rapid.SampledFrom([]string{"/api/v1", "/apis/apps/v1", "/apis/apps", "/api", "", "/openapi"}).Draw(t, "head")
	path += rapid.SampledFrom([]string{"", "", "", "/watch", "/proxy", "/namespaces/n", "/watch/namespaces/n"}).Draw(t, "level")
	for range rapid.IntRange(0, 6).Draw(t, "depth") {
		path += "/" + word.Draw(t, "segment")
	}
	if path == "" || rapid.IntRange(0, 4).Draw(t, "slash") == 0 {
		path += "/"
	}
	sep := "?"
	for range rapid.IntRange(0, 4).Draw(t, "params") {
		path += sep + param(t)
		sep = "&"
	}
	return path
}

// param draws one parameter of the query.
func param(t *rapid.T) string {
	key := rapid.SampledFrom([]string{"watch", "w%61tch", "fieldSelector", "fieldSelector", "labelSelector", "limit", "x", ""}).Draw(t, "key")
	value := rapid.SampledFrom([]string{
		"", "true", "1", "0", "false", "FALSE", "5", "metadata.name=a", "metadata.name%3D%3Db", "metadata.name!=a", "spec.x=y",
		"metadata.name=a,spec.x=y", "spec.x=y%2Cmetadata.name%3Dc", "metadata.name=a%5C%2Cb", "metadata.name=%252F", "a;b", "%zz", "+", "a,b",
	}).Draw(t, "value")
	if value == "" && rapid.Bool().Draw(t, "bare") {
		return key
	}
	return key + "=" + value
}

func TestPlausiblePathsAsKubernetes(t *testing.T) {
	if err := flag.Set("rapid.checks", "5000"); err != nil {
		t.Fatal(err)
	}
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		method := rapid.SampledFrom([]string{"GET", "GET", "GET", "DELETE", "HEAD", "POST", "PUT", "PATCH", "OPTIONS"}).Draw(t, "method")
		if compare(t, method, target(t)) {
			compared++
		}
	})
	if compared < 2000 {
		t.Errorf("only %d paths compared", compared)
	}
}
