package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// showPods has a role show pods, services and deployments, to alice and bob: a setting for tenants, not for the gateway.
const showPods = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: e2e-visible}
rules: [{apiGroups: [postern.dev], resources: [visiblelists], resourceNames: [pods, deployments.apps], verbs: [use]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: e2e-visible}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: e2e-visible}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: alice}, {apiGroup: rbac.authorization.k8s.io, kind: User, name: bob}]
`

// bobInStaging lets bob read pods of a second namespace.
const bobInStaging = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: e2e-visible, namespace: demo-staging}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: e2e-visible, namespace: demo-staging}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: e2e-visible}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: bob}]
`

// configure applies manifests until the test ends.
func configure(t *testing.T, manifests string) (remove func()) {
	t.Helper()
	if out, err := tryKubectl(t, "admin", strings.NewReader(manifests), "apply", "-f", "-"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	remove = func() {
		if out, err := tryKubectl(t, "admin", strings.NewReader(manifests), "delete", "--ignore-not-found", "-f", "-"); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
	t.Cleanup(remove)
	return remove
}

// allowed waits until a request of user is answered with that code.
func allowed(t *testing.T, c *http.Client, user, path string, want int) {
	t.Helper()
	until(t, fmt.Sprintf("%s as %s to be %d", path, user, want), func() bool {
		code, _, _ := do(t, c, request{path: path, user: user})
		return code == want
	})
}

// names are the `namespace/name` of what kubectl lists.
func names(t *testing.T, kubeconfig string, args ...string) []string {
	t.Helper()
	out := kubectl(t, kubeconfig, append(append([]string{"get"}, args...), "-o", `jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{"\n"}{end}`)...)
	return strings.Fields(out)
}

// ofAlice are those of keys that are in one of alice's namespaces.
func ofAlice(keys []string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool {
		return !strings.HasPrefix(k, "demo-shop/") && !strings.HasPrefix(k, "demo-staging/")
	})
}

// TestTenantSeesHerNamespaces is what is on by default.
func TestTenantSeesHerNamespaces(t *testing.T) {
	if got := names(t, "gateway-alice", "namespaces"); !slices.Equal(got, []string{"/demo-shop", "/demo-staging"}) {
		t.Errorf("alice sees namespaces %v", got)
	}
	if got := names(t, "gateway-bob", "namespaces"); len(got) != 0 {
		t.Errorf("bob, who may get no namespace, sees %v", got)
	}
	if out := kubectl(t, "gateway-alice", "get", "ns"); !strings.HasPrefix(out, "NAME ") || !strings.Contains(out, "demo-shop") || strings.Contains(out, "kube-system") {
		t.Errorf("as a table: %s", out)
	}
	// What belongs to the workspace, of a kind that is in no namespace.
	got := names(t, "gateway-alice", "workspaceroles.iam.kubesphere.io")
	if !slices.Contains(got, "/demo-admin") || slices.Contains(got, "/edge-fleet-admin") {
		t.Errorf("alice sees workspace roles %v", got)
	}
	for _, c := range []struct{ user, path string }{
		{"alice", "/api/v1/pods"}, {"bob", "/api/v1/pods"}, {"alice", "/api/v1/nodes"}, {"", "/api/v1/namespaces"},
	} {
		if code, body, _ := do(t, client(t), request{path: c.path, user: c.user}); code != 403 {
			t.Errorf("%s as %q: %d %.200s", c.path, c.user, code, body)
		}
	}
}

// TestTenantListsAllNamespaces compares what alice lists with what an administrator sees of it.
func TestTenantListsAllNamespaces(t *testing.T) {
	configure(t, showPods)
	c := client(t)
	allowed(t, c, "alice", "/api/v1/pods", 200)
	allowed(t, c, "alice", "/apis/apps/v1/deployments", 200)
	for _, args := range [][]string{
		{"pods", "-A"},
		{"pods", "-A", "--chunk-size", "2"},
		{"pods", "-A", "--chunk-size", "1"},
		{"deployments", "-A"},
		{"pods", "-A", "-l", "app=web"},
		{"pods", "-A", "--field-selector", "metadata.name=shell"},
		{"pods", "-A", "--sort-by", "metadata.name"},
	} {
		all := names(t, "admin", args...)
		if got, want := names(t, "gateway-alice", args...), ofAlice(all); !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%v: alice sees %v\nof %v", args, got, all)
		}
	}
	wide := kubectl(t, "gateway-alice", "get", "pods", "-A", "-o", "wide")
	if lines := strings.Split(strings.TrimSpace(wide), "\n"); len(lines) != len(names(t, "gateway-alice", "pods", "-A"))+1 || !strings.Contains(lines[0], "NODE") {
		t.Errorf("as a table: %s", wide)
	}
	pageThrough(t, c)
	code, body, header := do(t, c, request{path: "/api/v1/pods", user: "alice", header: http.Header{"Accept": {"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}}})
	if code != 200 || !strings.Contains(body, `"PartialObjectMetadataList"`) || header.Get("Content-Type") != "application/json" {
		t.Errorf("metadata alone: %d %v %.200s", code, header, body)
	}
	code, body, header = do(t, c, request{path: "/api/v1/pods", user: "alice", header: http.Header{"Accept": {"application/vnd.kubernetes.protobuf"}}})
	if code != 406 {
		t.Errorf("protobuf alone: %d %.200s", code, body)
	}
	wantStatus(t, code, body, header)
	out := postern(t, "explain", "get", "/api/v1/pods", "--as", "alice", "--config", stack.Config)
	if !strings.Contains(out, "visible") || !strings.Contains(out, "demo-staging") {
		t.Errorf("explain: %s", out)
	}
}

// pageThrough reads pages of raw lists: one version, no page longer than asked for, nothing missing, nothing twice.
func pageThrough(t *testing.T, c *http.Client) {
	t.Helper()
	var got []string
	version, token, pages := "", "", 0
	for {
		code, body, _ := do(t, c, request{path: "/api/v1/pods?limit=3&continue=" + url.QueryEscape(token), user: "alice"})
		var list struct {
			Metadata struct{ ResourceVersion, Continue, RemainingItemCount string }
			Items    []struct {
				Metadata struct{ Namespace, Name string }
			}
		}
		decode(t, body, &list)
		if code != 200 || len(list.Items) > 3 || version != "" && version != list.Metadata.ResourceVersion || list.Metadata.RemainingItemCount != "" {
			t.Fatalf("page %d: %d %+v", pages, code, list.Metadata)
		}
		for _, o := range list.Items {
			got = append(got, o.Metadata.Namespace+"/"+o.Metadata.Name)
		}
		version, token, pages = list.Metadata.ResourceVersion, list.Metadata.Continue, pages+1
		if token == "" {
			break
		}
	}
	if want := ofAlice(names(t, "admin", "pods", "-A")); !slices.Equal(got, want) || pages < 2 {
		t.Errorf("%d pages: %v, want %v", pages, got, want)
	}
}

// TestTenantWatchesAllNamespaces has kubectl watch as a Table.
func TestTenantWatchesAllNamespaces(t *testing.T) {
	configure(t, showPods)
	allowed(t, client(t), "alice", "/api/v1/pods", 200)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := kubectlCommand(ctx, "gateway-alice", "get", "pods", "-A", "-o", "wide", "--watch-only")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = cmd.Wait() }()
	seen := make(chan string, 100)
	go func() {
		defer close(seen)
		for s := bufio.NewScanner(out); s.Scan(); {
			seen <- s.Text()
		}
	}()
	until(t, "the watch to be open", func() bool { return metric(t, "postern_visible_watches") >= 1 })
	// In a namespace that alice may not see, then in one that she may: events come in order.
	for _, ns := range []string{"edge-sensors", "demo-staging"} {
		kubectl(t, "admin", "-n", ns, "run", "e2e-visible", "--image=registry.example/x:1")
		t.Cleanup(func() { kubectl(t, "admin", "-n", ns, "delete", "pod", "e2e-visible", "--now") })
	}
	for line := range seen {
		if strings.HasPrefix(line, "edge-sensors") || strings.HasPrefix(line, "kube-system") {
			t.Errorf("alice sees %s", line)
		}
		if strings.HasPrefix(line, "demo-staging") && strings.Contains(line, "e2e-visible") {
			return
		}
	}
	t.Error("the watch ended and has not shown the pod")
}

// TestInformerFollowsRights runs client-go's informer as bob: what is in it is what he may see, while his rights come and go.
func TestInformerFollowsRights(t *testing.T) {
	configure(t, showPods)
	allowed(t, client(t), "bob", "/api/v1/pods", 200)
	cfg, err := clientcmd.BuildConfigFromFlags("", stack.Kubeconfigs["gateway-bob"])
	if err != nil {
		t.Fatal(err)
	}
	dyn, err := dynamic.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	pods, ctx := dyn.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}), t.Context()
	store := cache.NewStore(cache.MetaNamespaceKeyFunc)
	reflector := cache.NewReflectorWithOptions(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return pods.List(ctx, o) },
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return pods.Watch(ctx, o)
		},
	}, &unstructured.Unstructured{}, store, cache.ReflectorOptions{})
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { reflector.RunWithContext(ctx) })
	defer running.Wait()
	defer cancel()
	holds := func(what string, want func(namespace string) bool) {
		t.Helper()
		within(t, time.Minute, what, func() bool {
			got := store.ListKeys()
			slices.Sort(got)
			all := names(t, "admin", "pods", "-A")
			all = slices.DeleteFunc(all, func(k string) bool { ns, _, _ := strings.Cut(k, "/"); return !want(ns) })
			slices.Sort(all)
			return slices.Equal(got, all) && len(all) > 0
		})
	}
	shop := func(ns string) bool { return ns == "demo-shop" }
	both := func(ns string) bool { return ns == "demo-shop" || ns == "demo-staging" }
	holds("bob's namespace", shop)
	remove := configure(t, bobInStaging)
	holds("a second one", both)
	kubectl(t, "admin", "-n", "demo-staging", "run", "e2e-informer", "--image=registry.example/x:1")
	t.Cleanup(func() {
		kubectl(t, "admin", "-n", "demo-staging", "delete", "pod", "e2e-informer", "--ignore-not-found", "--now")
	})
	holds("what comes into it", both)
	remove()
	holds("the first alone again", shop)
}

// TestForgedContinue goes on with a page of somebody who may see more.
func TestForgedContinue(t *testing.T) {
	configure(t, showPods)
	c := client(t)
	allowed(t, c, "alice", "/api/v1/pods", 200)
	_, body, _ := do(t, c, request{path: "/api/v1/pods?limit=1", user: "admin"})
	var list struct{ Metadata struct{ Continue string } }
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	code, body, header := do(t, c, request{path: "/api/v1/pods?limit=100&continue=" + url.QueryEscape(list.Metadata.Continue), user: "alice"})
	if code != 400 || strings.Contains(body, "kube-system") {
		t.Errorf("an administrator's token: %d %.300s", code, body)
	}
	wantStatus(t, code, body, header)
}
