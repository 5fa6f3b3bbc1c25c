package requestinfo

import (
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/exchange"
)

func TestHostTarget(t *testing.T) {
	for uri, want := range map[string]string{
		"/api/clusters/c1":                             "/api",
		"/api/clusters/c1/":                            "/api/",
		"/api/clusters/c1?a=/b/c/d":                    "/api?a=/b/c/d",
		"/api/clusters/c1/v1":                          "/api/v1",
		"/api/clusters/c1/v1/pods?watch=1":             "/api/v1/pods?watch=1",
		"/%61pi/cl%75sters/c%31/v1/%70ods/a%20":        "/%61pi/v1/%70ods/a%20",
		"/kapis/clusters/c1/a.io/v1/clusters/c2/nodes": "/kapis/a.io/v1/clusters/c2/nodes",
		"/api/clusters/c/v1/nodes/n/proxy//a%2F":       "/api/v1/nodes/n/proxy//a%2F",
	} {
		path, _, _ := strings.Cut(uri, "?")
		if info, _, err := Parse([]byte("GET"), []byte(path), nil, nil); err != nil || info.Cluster == "" {
			t.Errorf("%s: cluster %q, error %v", uri, info.Cluster, err)
		}
		if got := string(exchange.HostTarget(nil, []byte(uri))); got != want {
			t.Errorf("%s: %s, want %s", uri, got, want)
		}
		if b := []byte(uri); string(exchange.HostTarget(b[:0], b)) != want {
			t.Errorf("%s: not so in place", uri)
		}
	}
}
