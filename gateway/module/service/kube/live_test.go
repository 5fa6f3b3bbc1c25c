package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// Each operation becomes the request that kubectl would send.
func TestOperations(t *testing.T) {
	s := start(t, Options{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), body)
	}))
	pod := []any{hostabi.TagVersion, "v1", hostabi.TagResource, "pods", hostabi.TagNamespace, "ns", hostabi.TagName, "p"}
	deploy := []any{hostabi.TagGroup, "apps", hostabi.TagVersion, "v1", hostabi.TagResource, "deployments"}
	for _, c := range []struct {
		want string
		args []any
	}{
		{"GET /api/v1/namespaces/ns/pods/p  ", append(pod, hostabi.TagOperation, "get")},
		{"GET /api/v1/namespaces/ns/pods/p/log  ", append(pod, hostabi.TagOperation, "get", hostabi.TagSubresource, "log")},
		{
			"GET /apis/apps/v1/deployments?continue=a%26b&fieldSelector=metadata.name%3Dx&labelSelector=a%3Db%2Cc+in+%28d%29&limit=5  ",
			append(deploy, hostabi.TagOperation, "list", hostabi.TagLabelSelector, "a=b,c in (d)", hostabi.TagFieldSelector,
				"metadata.name=x", hostabi.TagLimit, "5", hostabi.TagContinue, "a&b"),
		},
		{
			"POST /apis/apps/v1/deployments?fieldManager=postern-test application/json {}",
			append(deploy, hostabi.TagOperation, "create", hostabi.TagBody, "{}"),
		},
		{
			"PUT /api/v1/namespaces/ns/pods/p?fieldManager=postern-test application/json {}",
			append(pod, hostabi.TagOperation, "update", hostabi.TagBody, "{}"),
		},
		{
			"PATCH /api/v1/namespaces/ns/pods/p/status?fieldManager=postern-test application/merge-patch+json {}",
			append(pod, hostabi.TagOperation, "patch", hostabi.TagSubresource, "status", hostabi.TagBody, "{}"),
		},
		{
			"PATCH /api/v1/namespaces/ns/pods/p?fieldManager=postern-test application/json-patch+json []",
			append(pod, hostabi.TagOperation, "patch", hostabi.TagPatchType, "application/json-patch+json", hostabi.TagBody, "[]"),
		},
		{"DELETE /api/v1/namespaces/ns/pods/p  ", append(pod, hostabi.TagOperation, "delete")},
		{
			"DELETE /api/v1/namespaces/ns/pods/p?dryRun=All application/json {\"preconditions\":{}}",
			append(pod, hostabi.TagOperation, "delete", hostabi.TagDryRun, "All", hostabi.TagBody, `{"preconditions":{}}`),
		},
		{
			"PUT /api/v1/namespaces/ns/pods/p?dryRun=All&fieldManager=postern-test application/json {}",
			append(pod, hostabi.TagOperation, "update", hostabi.TagDryRun, "All", hostabi.TagBody, "{}"),
		},
		{
			"GET /api/v1/namespaces/n  ",
			[]any{hostabi.TagOperation, "get", hostabi.TagVersion, "v1", hostabi.TagResource, "namespaces", hostabi.TagName, "n"},
		},
		{
			"GET /apis/rbac.authorization.k8s.io/v1/clusterroles/system:node  ",
			[]any{
				hostabi.TagOperation, "get", hostabi.TagGroup, "rbac.authorization.k8s.io", hostabi.TagVersion, "v1",
				hostabi.TagResource, "clusterroles", hostabi.TagName, "system:node",
			},
		},
	} {
		if got := do(s, c.args...); got.Code != hostabi.OK || string(got.Body) != c.want {
			t.Errorf("%+v\ngot  %s\nwant %s", got, got.Body, c.want)
		}
	}
}

// What would not arrive as it was asked never leaves.
func TestRefusesCrookedCalls(t *testing.T) {
	s := start(t, Options{}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("sent %s", r.URL) }))
	base := map[hostabi.Tag]string{
		hostabi.TagOperation: "get", hostabi.TagVersion: "v1", hostabi.TagResource: "pods", hostabi.TagNamespace: "ns", hostabi.TagName: "p",
	}
	for name, change := range map[string]map[hostabi.Tag]string{
		"slash":           {hostabi.TagName: "a/b"},
		"dots":            {hostabi.TagName: ".."},
		"dot":             {hostabi.TagNamespace: "."},
		"encoded slash":   {hostabi.TagName: "a%2fb"},
		"query":           {hostabi.TagName: "a?watch=1"},
		"fragment":        {hostabi.TagName: "a#b"},
		"new line":        {hostabi.TagName: "a\nb"},
		"no UTF-8":        {hostabi.TagName: "a\xff"},
		"long":            {hostabi.TagName: strings.Repeat("a", 600)},
		"no name":         {hostabi.TagName: ""},
		"no version":      {hostabi.TagVersion: ""},
		"no resource":     {hostabi.TagResource: ""},
		"group":           {hostabi.TagGroup: "a/b"},
		"clusters":        {hostabi.TagVersion: "clusters"},
		"watch":           {hostabi.TagResource: "watch", hostabi.TagNamespace: "", hostabi.TagName: "pods"},
		"proxy":           {hostabi.TagResource: "proxy", hostabi.TagNamespace: "", hostabi.TagName: "pods"},
		"pods of a ns":    {hostabi.TagResource: "namespaces", hostabi.TagNamespace: "", hostabi.TagName: "ns", hostabi.TagSubresource: "pods"},
		"exec":            {hostabi.TagSubresource: "exec"},
		"proxy of a pod":  {hostabi.TagSubresource: "proxy"},
		"operation":       {hostabi.TagOperation: "watch"},
		"as":              {hostabi.TagAs: "admin"},
		"source":          {hostabi.TagSource: "disk"},
		"list of a name":  {hostabi.TagOperation: "list"},
		"limit":           {hostabi.TagOperation: "list", hostabi.TagName: "", hostabi.TagLimit: "5&watch=1"},
		"patch type":      {hostabi.TagOperation: "patch", hostabi.TagPatchType: "text/plain"},
		"unknown tag":     {hostabi.TagExpr: "up"},
		"cached selector": {hostabi.TagOperation: "list", hostabi.TagName: "", hostabi.TagSource: "cache", hostabi.TagLabelSelector: "=,"},
	} {
		args := []any{}
		for tag, v := range base {
			if changed, ok := change[tag]; ok {
				v = changed
			}
			args = append(args, tag, v)
		}
		for tag, v := range change {
			if _, ok := base[tag]; !ok {
				args = append(args, tag, v)
			}
		}
		if _, ok := change[hostabi.TagAs]; !ok {
			args = append(args, hostabi.TagAs, "module")
		}
		if got := doAs(s, nil, everything, args...); got.Code != hostabi.BadArgument || got.Err == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestGrants(t *testing.T) {
	s := start(t, Options{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }))
	rule := func(groups, resources, verbs, namespaces string) *service.Grants {
		split := func(s string) []string { return strings.Split(s, ",") }
		g := service.KubeGrant{Groups: split(groups), Resources: split(resources), Verbs: split(verbs)}
		if namespaces != "" {
			g.Namespaces = split(namespaces)
		}
		return &service.Grants{Kube: []service.KubeGrant{g}}
	}
	for _, c := range []struct {
		name    string
		grants  *service.Grants
		allowed string // of the requests below
	}{
		{"nothing", nil, ""},
		{"no rules", &service.Grants{}, ""},
		{"all", everything, "get log node list ns apps"},
		{"pods", rule("", "pods", "get", ""), "get"},
		{"pods and logs", rule("", "pods,pods/log", "get", ""), "get log"},
		{"all logs", rule("*", "*/log", "*", ""), "log"},
		{"verbs", rule("", "*", "list", ""), "list"},
		{"groups", rule("apps", "*", "*", ""), "apps"},
		{"one namespace", rule("", "*", "*", "ns"), "get log ns"},
		{"another namespace", rule("", "*", "*", "other"), ""},
		{"any namespace", rule("*", "*", "*", "*"), "get log ns apps"},
	} {
		var allowed []string
		for _, r := range []struct {
			name string
			args []any
		}{
			{"get", []any{hostabi.TagOperation, "get", hostabi.TagResource, "pods", hostabi.TagNamespace, "ns", hostabi.TagName, "p"}},
			{"log", []any{hostabi.TagOperation, "get", hostabi.TagResource, "pods", hostabi.TagNamespace, "ns", hostabi.TagName, "p", hostabi.TagSubresource, "log"}},
			{"node", []any{hostabi.TagOperation, "get", hostabi.TagResource, "nodes", hostabi.TagName, "n"}},
			{"list", []any{hostabi.TagOperation, "list", hostabi.TagResource, "pods"}},
			{"ns", []any{hostabi.TagOperation, "get", hostabi.TagResource, "namespaces", hostabi.TagName, "ns"}},
			{"apps", []any{hostabi.TagOperation, "get", hostabi.TagGroup, "apps", hostabi.TagResource, "deployments", hostabi.TagNamespace, "ns", hostabi.TagName, "d"}},
		} {
			switch got := doAs(s, nil, c.grants, append(r.args, hostabi.TagVersion, "v1", hostabi.TagAs, "module")...); got.Code {
			case hostabi.OK:
				allowed = append(allowed, r.name)
			case hostabi.Denied:
			default:
				t.Errorf("%s: %+v", r.name, got)
			}
		}
		if got := strings.Join(allowed, " "); got != c.allowed {
			t.Errorf("%s: allowed %q, want %q", c.name, got, c.allowed)
		}
	}
}

var alice = &exchange.User{
	Name: "alice", UID: "7", Groups: []string{"devs", "postern:decided", "ops"}, Extra: map[string][]string{"Example.com/Key": {"v"}},
}

func TestIdentities(t *testing.T) {
	for identity, want := range map[Identity][]string{
		Impersonate: {"Impersonate-Group: postern:decided", "Impersonate-User: alice"},
		Strict: {
			"Impersonate-Extra-Example.com%2fkey: v", "Impersonate-Group: devs", "Impersonate-Group: ops", "Impersonate-Uid: 7",
			"Impersonate-User: alice",
		},
		Plain: nil,
	} {
		var got []string
		s := start(t, Options{Identity: identity, Authorize: allowAll}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for name, values := range r.Header {
				for _, v := range values {
					if strings.HasPrefix(name, "Impersonate-") {
						got = append(got, name+": "+v)
					}
				}
			}
			if r.Header.Get("Authorization") != "Bearer gateway" || r.Header.Get("X-Request-Id") != "id-1" {
				t.Errorf("headers are %v", r.Header)
			}
			fmt.Fprint(w, "{}")
		}))
		if r := doAs(s, alice, everything, getPod...); r.Code != hostabi.OK {
			t.Fatalf("%s: %+v", identity, r)
		}
		slices.Sort(got)
		for i := range got {
			got[i] = strings.ReplaceAll(got[i], "%2F", "%2f")
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", identity, got, want)
		}
	}
}

var getPod = []any{
	hostabi.TagOperation, "get", hostabi.TagVersion, "v1", hostabi.TagResource, "pods", hostabi.TagNamespace, "ns", hostabi.TagName, "p",
}

// As the caller, a module does what it is granted AND the caller may; the module's own way never stands in.
func TestCallerIsAuthorized(t *testing.T) {
	var asked exchange.RequestInfo
	answer := exchange.Decision{Reason: "no role"}
	sent := 0
	s := start(t, Options{Authorize: func(u *exchange.User, info *exchange.RequestInfo) exchange.Decision {
		asked = info.Clone()
		return answer
	}}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { sent++; fmt.Fprint(w, "{}") }))

	if r := doAs(s, alice, everything, getPod...); r.Code != hostabi.Denied || !strings.Contains(r.Err, "no role") || sent != 0 {
		t.Errorf("%+v, sent %d", r, sent)
	}
	want := exchange.RequestInfo{
		Path: "/api/v1/namespaces/ns/pods/p", Verb: "get", APIPrefix: "api", APIVersion: "v1", Namespace: "ns", Resource: "pods", Name: "p",
		Scope: exchange.ScopeNamespace, IsResourceRequest: true, IsKubernetesRequest: true,
	}
	if asked != want {
		t.Errorf("asked for %+v", asked)
	}
	answer.Allowed = true
	if r := doAs(s, alice, everything, getPod...); r.Code != hostabi.OK || sent != 1 {
		t.Errorf("%+v, sent %d", r, sent)
	}
	if r := doAs(s, alice, &service.Grants{}, getPod...); r.Code != hostabi.Denied || sent != 1 {
		t.Errorf("without a grant: %+v, sent %d", r, sent)
	}
	for name, user := range map[string]*exchange.User{
		"nobody": nil, "no name": {UID: "1"}, "line": {Name: "a\r\nX: y"}, "space": {Name: " admin"},
	} {
		if r := doAs(s, user, everything, getPod...); r.Code != hostabi.Denied || sent != 1 {
			t.Errorf("%s: %+v, sent %d", name, r, sent)
		}
	}
	deaf := start(t, Options{}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("sent") }))
	if r := doAs(deaf, alice, everything, getPod...); r.Code != hostabi.Denied {
		t.Errorf("without an authorizer: %+v", r)
	}
}

func TestAnswers(t *testing.T) {
	for status, code := range map[int]hostabi.Code{
		400: hostabi.BadArgument, 401: hostabi.Upstream, 403: hostabi.Denied, 404: hostabi.NotFound, 405: hostabi.BadArgument, 409: hostabi.Conflict,
		410: hostabi.Upstream, 413: hostabi.TooLarge, 422: hostabi.BadArgument, 429: hostabi.Unavailable, 500: hostabi.Upstream,
		502: hostabi.Upstream, 503: hostabi.Unavailable, 504: hostabi.Deadline, 302: hostabi.Upstream,
	} {
		body := fmt.Sprintf(`{"kind":"Status","message":"because \"%d\"","code":%d}`, status, status)
		s := start(t, Options{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
		r := do(s, getPod...)
		if r.Code != code || r.Status != status || r.Err != fmt.Sprintf(`because "%d"`, status) || string(r.Body) != body {
			t.Errorf("%d: %+v", status, r)
		}
	}
}

func TestStrips(t *testing.T) {
	s := start(t, Options{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		object := `{"metadata":{"name":"p","managedFields":[{"manager":"x"}],"annotations":{"a":"b","kubectl.kubernetes.io/last-applied-configuration":"{}"}},"spec":{"managedFields":1}}`
		if strings.HasSuffix(r.URL.Path, "pods") {
			object = `{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[` + object + `,{"metadata":{"name":"q"}}]}`
		}
		fmt.Fprint(w, object)
	}))
	const small = `{"metadata":{"name":"p","annotations":{"a":"b"}},"spec":{"managedFields":1}}`
	same(t, do(s, getPod...).Body, small)
	same(t, do(s, hostabi.TagOperation, "list", hostabi.TagVersion, "v1", hostabi.TagResource, "pods").Body,
		`{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[`+small+`,{"metadata":{"name":"q"}}]}`)
}

func TestBounds(t *testing.T) {
	s := start(t, Options{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/hang" {
			<-r.Context().Done()
			return
		}
		for range 3000 { // chunked: nothing announces the length
			fmt.Fprint(w, strings.Repeat("x", 1000))
		}
	}))
	list := []any{hostabi.TagOperation, "list", hostabi.TagVersion, "v1", hostabi.TagResource}
	if r := do(s, append(list, "pods")...); r.Code != hostabi.TooLarge || r.Body != nil {
		t.Errorf("%v, %d bytes", r.Code, len(r.Body))
	}
	hang := append(list, "hang", hostabi.TagAs, "module")
	late, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if r := s.Do(late, callOf(nil, everything, hang...)); r.Code != hostabi.Deadline {
		t.Errorf("%+v", r)
	}
	left, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	if r := s.Do(left, callOf(nil, everything, hang...)); r.Code != hostabi.Canceled {
		t.Errorf("%+v", r)
	}
	dead := start(t, Options{}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	if r := do(dead, getPod...); r.Code != hostabi.Unavailable {
		t.Errorf("%+v", r)
	}
	if _, err := New(Options{Identity: "root"}); err == nil || errors.Is(err, hostabi.Internal) {
		t.Error("no configuration passes")
	}
}
