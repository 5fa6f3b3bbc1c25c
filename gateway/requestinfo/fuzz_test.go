package requestinfo

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"

	"github.com/posternhq/postern/gateway/exchange"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"GET /", "GET /api/clusters/c1/v1", "GET /api/v1/watch", "GET /api/v1/namespaces//pods", "GET //api//v1//pods",
		"GET /kapis/clusters/c/a.io/v1/workspaces/w/namespaces/n/pods/p/log", "GET /kapis/a.io/v1/devops/d/x?watch=1",
		"GET /api/v1/namespaces/n/services/https:y:443/proxy//a%2Fb/?c=d", "DELETE /apis/apps/v1/deployments?labelSelector=a",
		"GET /api/v1/pods?watch=1&labelSelector=kubesphere.io/workspace=w&fieldSelector=metadata.name%3Dx%5C,", "GET /%2e%2e/%ff%00",
		"PROPFIND /apis/clusters/c/apps/v1/deployments", "get /%61pi/v1/%C3%A9?w%61tch=%zz&watch", "OPTIONS *",
	} {
		method, target, _ := strings.Cut(s, " ")
		f.Add(method, target)
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		path, query, _ := strings.Cut(target, "?")
		rawPath, rawQuery := []byte(path), []byte(query)
		info, grown, err := Parse([]byte(method), rawPath, rawQuery, make([]byte, 0, 4*(len(method)+len(target))+16))
		if string(rawPath) != path || string(rawQuery) != query {
			t.Fatal("input changed")
		}
		checkAliases(t, info, grown)
		if err != nil {
			info.Verb = ""
			if info != (exchange.RequestInfo{}) {
				t.Fatalf("%+v with error %v", info, err)
			}
			return
		}
		checkInfo(t, info)
		if info.Cluster != "" {
			checkHost(t, method, target, info)
		}
		if plainMethod(method) {
			compare(t, method, target)
		}
	})
}

// checkAliases: every string is of the scratch, whose memory the exchange owns, or a constant of the package.
func checkAliases(t *testing.T, info exchange.RequestInfo, scratch []byte) {
	from := uintptr(unsafe.Pointer(unsafe.SliceData(scratch)))
	to := from + uintptr(cap(scratch))
	for _, s := range []string{
		info.Path, info.APIPrefix, info.APIGroup, info.APIVersion, info.Cluster, info.Workspace, info.Namespace, info.DevOps,
		info.Resource, info.Subresource, info.Name, info.LabelSelector, info.FieldSelector,
	} {
		if at := uintptr(unsafe.Pointer(unsafe.StringData(s))); s != "" && (at < from || at+uintptr(len(s)) > to) {
			t.Fatalf("%q is outside of the scratch", s)
		}
	}
}

// checkInfo: what the stages behind rely on.
func checkInfo(t *testing.T, info exchange.RequestInfo) {
	if !strings.HasPrefix(info.Path, "/") || !utf8.ValidString(info.Path) || strings.ContainsAny(info.Path, "\x00\r\n\x7f") {
		t.Fatalf("path %q", info.Path)
	}
	for _, s := range strings.Split(info.Path, "/") {
		if s == "." || s == ".." {
			t.Fatalf("dot segment in %q", info.Path)
		}
	}
	if info.IsResourceRequest != (info.Resource != "") || info.IsResourceRequest != (info.APIVersion != "") {
		t.Fatalf("resource request without resource or version: %+v", info)
	}
	if info.IsResourceRequest && info.APIPrefix == "" || info.Subresource != "" && info.Name == "" {
		t.Fatalf("a part without what is before it: %+v", info)
	}
	if info.Scope == exchange.ScopeWorkspace && info.Workspace == "" || info.Scope == exchange.ScopeNamespace && info.Namespace == "" ||
		info.Scope == exchange.ScopeDevOps && info.DevOps == "" {
		t.Fatalf("scope %s without its name: %+v", info.Scope, info)
	}
	for _, s := range []string{info.Resource, info.Subresource, info.Namespace, info.APIGroup, info.APIVersion, info.Cluster} {
		if strings.Contains(s, "/") {
			t.Fatalf("slash in %q", s)
		}
	}
}

// checkHost: without its cluster part a target means the same, or is that cluster's discovery.
func checkHost(t *testing.T, method, target string, info exchange.RequestInfo) {
	path, query, _ := bytes.Cut(exchange.HostTarget(nil, []byte(target)), []byte("?"))
	host, _, err := Parse([]byte(method), path, query, nil)
	if err != nil {
		t.Fatalf("%q without cluster: %q: %v", target, path, err)
	}
	if host.Cluster != "" || host.APIPrefix == "" { // a second clusters/{c} is a group or version of that name
		return
	}
	info.Cluster, info.Path, host.Path = "", "", ""
	if info != host {
		t.Fatalf("%q:\n%+v\nwithout cluster %q:\n%+v", target, info, path, host)
	}
}

// plainMethod says whether net/http would take the method.
func plainMethod(method string) bool {
	return method != "" && method != "CONNECT" && strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
