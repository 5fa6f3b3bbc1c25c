package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/moduletest"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// names: every name of a level, once, in the table's order, each time the same; and as many as clients know.
func names(b *backends, t *testing.T) {
	b.objects["/namespaces//shop"] = `{"metadata":{"creationTimestamp":"2020-01-01T00:00:00Z"}}`
	for uri, want := range map[string]struct {
		level *level
		n     int
	}{"/cluster": {clusterLevel, 49}, "/nodes": {nodeLevel, 34}, "/namespaces/shop/pods": {podLevel, 5}} {
		d := b.ask(t, uri)
		if len(d.Results) != want.n || len(want.level.metrics) != want.n {
			t.Fatalf("%s: got %d metrics, want %d", uri, len(d.Results), want.n)
		}
		for i, r := range d.Results {
			if r.Name != want.level.metrics[i].name || r.Data.ResultType != "vector" || r.Data.Result == nil || r.Error != "" {
				t.Errorf("%s: metric %d is %+v, want %s", uri, i, r, want.level.metrics[i].name)
			}
		}
	}
}

const meterText = `"min_value":"","max_value":"","avg_value":"","sum_value":"","fee":"","resource_unit":"","currency_unit":""`

// shapes: the answer to the byte.
func shapes(b *backends, t *testing.T) {
	b.prometheus = map[string]answer{
		`max by (node) (kube_node_status_capacity`: vector(row(`"node":"n2"`, "1.1e+02"), row(`"node":"n1"`, "NaN")),
		`max by (node, internal_ip)`:               vector(row(`"internal_ip":"192.0.2.1","node":"n1","role":"master"`, "1")),
	}
	a := b.m.Ask(t, moduletest.Request{URI: base + "/nodes?metrics_filter=node_pod_quota"})
	want := `{"results":[{"metric_name":"node_pod_quota","data":{"resultType":"vector","result":[` +
		`{"metric":{"node":"n1","host_ip":"192.0.2.1","role":"master"},"value":[1790000000.5,"NaN"],` + meterText + `},` +
		`{"metric":{"node":"n2"},"value":[1790000000.5,"110"],` + meterText + `}]}}]}`
	if a.Body != want {
		t.Errorf("got  %s\nwant %s", a.Body, want)
	}
	b.prometheus = map[string]answer{"avg(node_load1)": vector(row("", "0.000001"))}
	a = b.m.Ask(t, moduletest.Request{URI: base + "/cluster?metrics_filter=^cluster_load1$"})
	want = `{"results":[{"metric_name":"cluster_load1","data":{"resultType":"vector","result":[{"metric":{},"value":[1790000000.5,"0.000001"],` + meterText + `}]}}]}`
	if a.Body != want {
		t.Errorf("got  %s\nwant %s", a.Body, want)
	}
}

// ranges: start, end and step go on; a matrix comes back.
func ranges(b *backends, t *testing.T) {
	b.prometheus["avg(node_load5)"] = answer{result: `[{"metric":{},"values":[[1790000000,"1e-3"],[1790000060,"+Inf"]]}]`}
	a := b.m.Ask(t, moduletest.Request{URI: base + "/cluster?metrics_filter=load5&start=1790000000&end=1790000100&step=1m"})
	want := `{"results":[{"metric_name":"cluster_load5","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1790000000,"0.001"],[1790000060,"+Inf"]],` + meterText + `}]}}]}`
	if a.Body != want {
		t.Errorf("got  %s\nwant %s", a.Body, want)
	}
	b.ask(t, "/cluster?metrics_filter=load5&start=0&end=1790000100")
	b.ask(t, "/cluster?metrics_filter=load5&time=1790000007")
	if got, want := b.sorted(), []string{
		"query 1790000007-/ avg(node_load5)", "query_range 0.001-1790000100/600 avg(node_load5)", "query_range 1790000000-1790000100/60 avg(node_load5)",
	}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// metricsFilter: a regular expression, unanchored, on names.
func metricsFilter(b *backends, t *testing.T) {
	for filter, want := range map[string]string{
		"load": "node_load1 node_load5 node_load15", "node_load1$": "node_load1", "^load": "", "cpu_total%7Cmemory_total": "node_cpu_total node_memory_total",
		"node_pod_count%24%7Cnode_cpu_usage%24": "node_cpu_usage node_pod_count",
	} {
		var got []string
		for _, r := range b.ask(t, "/nodes?metrics_filter="+filter).Results {
			got = append(got, r.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %s, want %s", filter, got, want)
		}
	}
	if a := b.m.Ask(t, moduletest.Request{URI: base + "/nodes?metrics_filter=nothing"}); a.Body != `{"results":null}` {
		t.Errorf("got %s for no metric", a.Body)
	}
	b.refused(t, "/nodes?metrics_filter=(", 400, "metrics_filter")
}

// resourcesFilter: what a filter says stays inside its string.
func resourcesFilter(b *backends, t *testing.T) {
	for filter, want := range map[string]string{
		"":                              `max by (node) (node_load1{node=~".*"})`,
		"n1%7Cn2%24":                    `max by (node) (node_load1{node=~"n1|n2$"})`,
		"%22%7D%20or%20up%7Bjob%3D~%22": `max by (node) (node_load1{node=~"\"} or up{job=~\""})`,
		"a%5C.b%5C%22%0A":               `max by (node) (node_load1{node=~"a\\.b\\\"\n"})`,
		"%24exporter%24node%24by":       `max by (node) (node_load1{node=~"$exporter$node$by"})`,
		strings.Repeat("node-with-a-name%7C", 1000): `max by (node) (node_load1{node=~"` + strings.Repeat("node-with-a-name|", 1000) + `"})`,
	} {
		b.asked = nil
		b.ask(t, "/nodes?time=1790000000&metrics_filter=node_load1$&resources_filter="+filter)
		if got := b.sorted(); len(got) != 2 || got[0] != "query 1790000000-/ "+want {
			t.Errorf("%.80s: got %.300q, want %.300q", filter, got, want)
		}
	}
	for _, filter := range []string{"(", "x)%7C(y", "%5C", strings.Repeat("x*", 2049)} {
		b.refused(t, "/nodes?resources_filter="+filter, 400, "resources_filter")
	}
	b.refused(t, "/nodes?resources_filter=%FF", 400, "UTF-8")
	b.objects["/nodes//a\"}b"] = `{"metadata":{"name":"a"}}`
	b.asked = nil
	b.ask(t, "/nodes/a%22%7Db?time=1790000000&metrics_filter=node_load1$")
	if got := b.sorted(); len(got) != 2 || !strings.HasSuffix(got[1], `node_load1{node="a\"}b"})`) && !strings.HasSuffix(got[0], `node_load1{node="a\"}b"})`) {
		t.Errorf("got %q", got)
	}
}

func parameters(b *backends, t *testing.T) {
	for query, text := range map[string]string{
		"start=1":              "'time' and the combination of 'start' and 'end' are mutually exclusive.",
		"end=1&time=2":         "'time' and the combination of 'start' and 'end' are mutually exclusive.",
		"start=2&end=1":        "'start' is later than 'end'",
		"time=1.5":             "'time' has to be a whole number",
		"start=1.0&end=2":      "'start' has to be a whole number",
		"start=1&end=now":      "'end' has to be a whole number",
		"time=-1":              "'time' has to be a whole number",
		"start=1&end=2&step=5": "'step' has to be a duration",
		"start=1&end=2&step=0": "'step' has to be a duration",
		"page=0":               "'page' and 'limit'",
		"limit=-1":             "'page' and 'limit'",
		"limit=x":              "'page' and 'limit'",
	} {
		for _, path := range []string{"/cluster", "/nodes", "/nodes/n", "/namespaces/n/pods"} {
			b.refused(t, path+"?"+query, 400, text)
		}
	}
	if got := b.sorted(); len(got) > 0 {
		t.Errorf("Prometheus was asked %q", got)
	}
}

// sorts: by figure, then by name; NaN behind, those without a figure last; the others in the same order, with empty slots.
func sorts(b *backends, t *testing.T) {
	var quota []string
	for name, value := range map[string]string{"a": "2", "b": "10", "c": "2", "d": "NaN", "e": "1e1"} {
		quota = append(quota, row(`"node":"`+name+`"`, value))
	}
	b.prometheus = map[string]answer{
		"max by (node) (kube_node_status_capacity": vector(quota...),
		"max by (node) (node_load1{":               vector(row(`"node":"z"`, "5"), row(`"node":"a"`, "6"), row(`"node":"f"`, "7")),
	}
	const filter = "/nodes?metrics_filter=node_load1$%7Cnode_pod_quota&limit=10&sort_metric="
	for query, want := range map[string]string{
		"node_pod_quota":               "b e a c d - -", // desc is the default
		"node_pod_quota&sort_type=asc": "a c b e d - -",
		"node_load1":                   "- a - b c d e",
		"of_nothing":                   "a b c d e - -",
	} {
		d := b.ask(t, filter+query)
		if got := d.column(0, "node"); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
		if *d.Page != 1 || *d.TotalPage != 1 || *d.TotalItem != 7 {
			t.Errorf("%s: got page %d of %d, %d items", query, *d.Page, *d.TotalPage, *d.TotalItem)
		}
	}
	d := b.ask(t, filter+"node_pod_quota")
	if got := d.column(1, "node"); got != "- - a - - f z" {
		t.Errorf("the other metric has %s", got)
	}
	if got := d.Results[1].Data.Result[0]; len(got) != 7 || got["fee"] != "" {
		t.Errorf("an empty slot is %v", got)
	}
	if d := b.ask(t, "/nodes?metrics_filter=node_pod_quota&sort_metric=node_pod_quota&start=1790000000&end=1790000001"); d.Page != nil {
		t.Error("a range was sorted")
	}
	if d := b.ask(t, "/nodes?metrics_filter=node_pod_quota"); d.Page != nil || d.TotalItem != nil || d.TotalPage != nil {
		t.Error("pages without a sort metric")
	}
}

func pages(b *backends, t *testing.T) {
	var rows []string
	for i := range 12 {
		rows = append(rows, row(fmt.Sprintf(`"node":"n%02d"`, i), strconv.Itoa(i)))
	}
	b.prometheus["max by (node) (kube_node_status_capacity"] = vector(rows...)
	for query, want := range map[string]string{
		"":                 "n11 n10 n09 n08 n07", // 5 by default
		"&page=3":          "n01 n00",
		"&page=4":          "",
		"&page=2&limit=4":  "n07 n06 n05 n04",
		"&page=1000000":    "",
		"&sort_type=asc":   "n00 n01 n02 n03 n04",
		"&limit=1000000":   "n11 n10 n09 n08 n07 n06 n05 n04 n03 n02 n01 n00",
		"&limit=1&page=12": "n00",
	} {
		d := b.ask(t, "/nodes?metrics_filter=node_pod_quota&sort_metric=node_pod_quota"+query)
		if got := d.column(0, "node"); got != want || *d.TotalItem != 12 {
			t.Errorf("%s: got %s of %d, want %s", query, got, *d.TotalItem, want)
		}
	}
}

// edges: nodes that Prometheus has no data for get theirs from metrics-server, node by node.
func edges(b *backends, t *testing.T) {
	b.cluster()
	b.prometheus["count by (node) (node_cpu_seconds_total"] = vector(row(`"node":"cloud"`, "8"), row(`"node":"edge-1"`, "3"))
	b.prometheus["max by (node) (node_memory_MemTotal_bytes"] = vector(row(`"node":"cloud"`, "100"))
	now := strconv.FormatInt(time.Now().Unix(), 10)
	d := b.ask(t, "/nodes?metrics_filter=node_cpu_(usage%7Ctotal%7Cutilisation)%7Cnode_memory_(us%7Ctotal%7Cut)%7Cnode_load1$&time="+now)
	for i, want := range []string{
		"node_cpu_utilisation edge-1 edge-2 0.125 0.25", "node_cpu_total cloud edge-1 edge-2 8 3 2", "node_cpu_usage edge-1 edge-2 0.25 0.5",
		"node_memory_utilisation edge-1 edge-2 0.25 0.5", "node_memory_usage_wo_cache cloud edge-1 edge-2 100 1073741824 2147483648",
		"node_memory_total cloud edge-1 edge-2 100 4294967296 4294967296", "node_load1  ",
	} {
		if got := d.Results[i].Name + " " + d.column(i, "node") + " " + d.values(i); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	got := d.Results[1].Data.Result[2]
	if want := "map[host_ip:192.0.2.2 node:edge-2 role:edge]"; fmt.Sprint(got["metric"]) != want || fmt.Sprintf("%.0f", got["value"].([]any)[0]) != now {
		t.Errorf("got %v, want labels %s at %s", got, want, now)
	}
	d = b.ask(t, "/nodes?metrics_filter=node_cpu_usage&type=rank&sort_metric=node_cpu_usage&resources_filter=edge-2%24%7Cedge-3%24")
	if got := d.column(0, "node"); got != "edge-2" {
		t.Errorf("got %s of a list of names", got)
	}
	d = b.ask(t, "/nodes?metrics_filter=node_cpu_usage&resources_filter=edge-[1]")
	if got := d.column(0, "node"); got != "edge-1" {
		t.Errorf("got %s of a regular expression", got)
	}
	for _, asked := range b.kube {
		if !strings.Contains(asked, " module ") {
			t.Errorf("Kubernetes was asked as the caller: %s", asked)
		}
	}
	if b.kube = nil; len(b.ask(t, "/nodes?metrics_filter=node_load1$").Results) != 1 || len(b.kube) > 0 {
		t.Errorf("Kubernetes was asked %q for what metrics-server does not know", b.kube)
	}
}

// cluster has nodes at the edge with figures in metrics-server.
func (b *backends) cluster() {
	node := func(name, ip string) string {
		return `{"metadata":{"name":"` + name + `","labels":{"node-role.kubernetes.io/edge":""}},"status":{"addresses":[{"type":"Hostname","address":"x"},` +
			`{"type":"InternalIP","address":"` + ip + `"}],"capacity":{"cpu":"2","memory":"4Gi"}}}`
	}
	usage := func(name, cpu, memory string) string {
		return `{"metadata":{"name":"` + name + `"},"usage":{"cpu":"` + cpu + `","memory":"` + memory + `"}}`
	}
	b.objects["/nodes//edge-1"], b.objects["/nodes//edge-2"] = node("edge-1", "192.0.2.1"), node("edge-2", "192.0.2.2")
	b.objects["/nodes//cloud"] = `{"metadata":{"name":"cloud"}}`
	b.objects["/nodes//"] = `{"items":[` + b.objects["/nodes//edge-1"] + `,` + b.objects["/nodes//edge-2"] + `]}`
	b.objects["metrics.k8s.io/nodes//edge-1"], b.objects["metrics.k8s.io/nodes//edge-2"] = usage("edge-1", "250m", "1Gi"), usage("edge-2", "500000000n", "2Gi")
	b.objects["metrics.k8s.io/nodes//"] = `{"items":[` + b.objects["metrics.k8s.io/nodes//edge-2"] + `,` + b.objects["metrics.k8s.io/nodes//edge-1"] + `]}`
}

// oneEdge: the route of one node has that node alone; of a node that is not at the edge metrics-server is not asked.
func oneEdge(b *backends, t *testing.T) {
	b.cluster()
	d := b.ask(t, "/nodes/edge-1?metrics_filter=node_cpu_usage")
	if got := d.column(0, "node") + " " + d.values(0); got != "edge-1 0.25" {
		t.Errorf("got %s", got)
	}
	b.kube = nil
	d = b.ask(t, "/nodes/cloud?metrics_filter=node_cpu_usage&sort_metric=node_cpu_usage")
	if got := d.column(0, "node"); got != "" || len(b.kube) != 2 || d.Page != nil {
		t.Errorf("got %q, asked %q", got, b.kube)
	}
	delete(b.objects, "metrics.k8s.io/nodes//edge-1")
	if d := b.ask(t, "/nodes/edge-1?metrics_filter=node_cpu_usage"); d.Results[0].Error != "" {
		t.Errorf("a node without figures is an error: %s", d.Results[0].Error)
	}
}

// edgePast: figures of now are no answer about yesterday; a range up to now gets one point.
func edgePast(b *backends, t *testing.T) {
	b.cluster()
	now := time.Now().Unix()
	for query, want := range map[string]string{
		fmt.Sprintf("time=%d", now-86400): "", fmt.Sprintf("start=%d&end=%d", now-7200, now-3600): "",
		fmt.Sprintf("time=%d", now-60): "edge-1 edge-2", fmt.Sprintf("start=%d&end=%d", now-3600, now-1): "edge-1 edge-2",
	} {
		d := b.ask(t, "/nodes?metrics_filter=node_cpu_usage&"+query)
		if got := d.column(0, "node"); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
		if strings.HasPrefix(query, "start") && want != "" {
			if got := fmt.Sprint(d.Results[0].Data.Result[0]["values"]); got != fmt.Sprintf("[[%v 0.25]]", float64(now-1)) {
				t.Errorf("got %s", got)
			}
		}
	}
}

// podEdges: pods on edge nodes have what metrics-server knows, memory in bytes.
func podEdges(b *backends, t *testing.T) {
	b.cluster()
	b.objects["/namespaces//iot"] = `{"metadata":{"creationTimestamp":"2020-01-01T00:00:00Z"}}`
	pod := func(name, node string) string {
		return `{"metadata":{"name":"` + name + `","namespace":"iot","ownerReferences":[{"kind":"DaemonSet","name":"sensor","controller":true}]},` +
			`"spec":{"nodeName":"` + node + `"},"status":{"hostIP":"192.0.2.9"}}`
	}
	b.objects["/pods/iot/"] = `{"items":[` + pod("p1", "edge-1") + `,` + pod("p2", "cloud") + `,` + pod("p3", "edge-2") + `]}`
	usage := func(name string) string {
		return `{"metadata":{"name":"` + name + `"},"containers":[{"usage":{"cpu":"100m","memory":"1Mi"}},{"usage":{"cpu":"25m","memory":"512Ki"}}]}`
	}
	b.objects["metrics.k8s.io/pods/iot/"] = `{"items":[` + usage("p1") + `,` + usage("p2") + `]}`
	b.prometheus["sum by (namespace, pod) (rate(container_cpu"] = vector(row(`"namespace":"iot","pod":"p2"`, "7"))
	d := b.ask(t, "/namespaces/iot/pods?metrics_filter=cpu%7Cmemory")
	for i, want := range []string{"pod_cpu_usage p1 p2 0.125 7", "pod_memory_usage  ", "pod_memory_usage_wo_cache p1 1572864"} {
		if got := d.Results[i].Name + " " + d.column(i, "pod") + " " + d.values(i); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	want := "map[host_ip:192.0.2.9 namespace:iot node:edge-1 owner_kind:DaemonSet owner_name:sensor pod:p1 role:edge]"
	if got := fmt.Sprint(d.Results[0].Data.Result[0]["metric"]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if d := b.ask(t, "/namespaces/iot/pods?metrics_filter=pod_cpu_usage&resources_filter=p[3-9]"); d.column(0, "pod") != "p2" {
		t.Errorf("got %s", d.column(0, "pod")) // the fake Prometheus does not filter
	}
}

// pods: labels of the pod, order by two labels, and the same name in one namespace only.
func pods(b *backends, t *testing.T) {
	b.objects["/namespaces//shop"] = `{"metadata":{"creationTimestamp":"2020-01-01T00:00:00Z"}}`
	b.prometheus = map[string]answer{
		"sum by (namespace, pod) (rate(container_cpu":   vector(row(`"namespace":"shop","pod":"b"`, "1"), row(`"namespace":"shop","pod":"a"`, "2"), row(`"namespace":"shop","pod":"c"`, "3")),
		"sum by (namespace, pod) (container_memory_w":   vector(row(`"namespace":"shop","pod":"d"`, "1"), row(`"namespace":"shop","pod":"a"`, "9")),
		"max by (namespace, pod, node, host_ip, create": vector(row(`"namespace":"shop","pod":"a","node":"n1","host_ip":"192.0.2.1","created_by_kind":"ReplicaSet","created_by_name":"web"`, "1")),
	}
	d := b.ask(t, "/namespaces/shop/pods?metrics_filter=pod_cpu_usage%7Cwo_cache&resources_filter=a%22b")
	if got := d.column(0, "pod"); got != "a b c" {
		t.Errorf("got %s", got)
	}
	want := "map[host_ip:192.0.2.1 namespace:shop node:n1 owner_kind:ReplicaSet owner_name:web pod:a]"
	if got := fmt.Sprint(d.Results[0].Data.Result[0]["metric"]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := b.sorted()[0]; !strings.HasSuffix(got, `{namespace="shop",pod=~"a\"b"})`) {
		t.Errorf("asked %s", got)
	}
	d = b.ask(t, "/namespaces/shop/pods?metrics_filter=pod_cpu_usage%7Cwo_cache&sort_metric=pod_cpu_usage&sort_type=asc&limit=10")
	if got := d.column(0, "pod") + ", " + d.column(1, "pod"); got != "b a c -, - a - d" {
		t.Errorf("got %s", got)
	}
}

// age: nothing of the time before the namespace was made.
func age(b *backends, t *testing.T) {
	b.objects["/namespaces//shop"] = `{"metadata":{"creationTimestamp":"2026-01-01T00:00:00Z"}}` // 1767225600
	b.prometheus["sum by"] = vector(row(`"namespace":"shop","pod":"a"`, "1"))
	const filter = "/namespaces/shop/pods?metrics_filter=pod_cpu_usage&"
	for _, query := range []string{"time=1767225599", "start=1767220000&end=1767225599"} {
		d := b.ask(t, filter+query)
		if len(d.Results) != 5 || len(d.Results[0].Data.Result) > 0 || len(b.sorted()) > 0 {
			t.Errorf("%s: got %+v, asked %q", query, d, b.sorted())
		}
	}
	b.ask(t, filter+"time=1767225600")
	b.ask(t, filter+"start=1767220000&end=1767226000&step=1m") // 400 s of it: six steps
	b.ask(t, filter+"start=1767225640&end=1767226000&step=1m")
	var got []string
	for _, asked := range b.sorted() {
		if strings.Contains(asked, "container") {
			got = append(got, strings.Join(strings.Fields(asked)[:2], " "))
		}
	}
	if want := []string{"query 1767225600-/", "query_range 1767225640-1767226000/60"}; !slices.Equal(got, want) {
		t.Errorf("asked %q, want %q", got, want)
	}
}

func unknown(b *backends, t *testing.T) {
	b.refused(t, "/nodes/nobody", 404, `nodes \"nobody\" not found`)
	b.refused(t, "/namespaces/nowhere/pods", 404, `namespaces \"nowhere\" not found`)
	b.failing["/nodes//n"] = failed(hostabi.Unavailable, 0, "cannot reach Kubernetes")
	b.refused(t, "/nodes/n", 503, "cannot reach Kubernetes")
}

// failures: a metric that fails has its error; the others are there.
func failures(b *backends, t *testing.T) {
	b.cluster()
	b.prometheus = map[string]answer{
		"max by (node) (node_load1{":  {fail: failed(hostabi.Upstream, 422, `bad "thing"`+"\n")},
		"max by (node) (node_load5{":  vector(row(`"node":"n"`, "1")),
		"max by (node) (node_load15{": {fail: failed(hostabi.Unavailable, 0, "cannot reach Prometheus")},
		"max by (node, internal_ip)":  {fail: failed(hostabi.Unavailable, 0, "cannot reach Prometheus")},
		"sum by (node) (rate(node_cpu_seconds_total{mode!~\"idle|iowait|steal\",node=~\".*\"}[5m]))": {fail: failed(hostabi.Unavailable, 0, "cannot reach Prometheus")},
	}
	d := b.ask(t, "/nodes?metrics_filter=node_load%7Cnode_cpu_usage")
	for i, want := range []string{
		`node_cpu_usage "cannot reach Prometheus" edge-1 edge-2`, `node_load1 "bad \"thing\"\n" `, `node_load5 "" n`, `node_load15 "cannot reach Prometheus" `,
	} {
		r := d.Results[i]
		if got := fmt.Sprintf("%s %q %s", r.Name, r.Error, d.column(i, "node")); got != want || r.Data.Result == nil {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	b.prometheus = nil
	b.refused(t, "/cluster", 503, "monitoring.endpoint")
	b.refused(t, "/nodes?metrics_filter=load", 503, "monitoring.endpoint")
}

// metricsServerFails: its error is said where there is nothing else.
func metricsServerFails(b *backends, t *testing.T) {
	b.cluster()
	b.failing["metrics.k8s.io/nodes//"] = failed(hostabi.Unavailable, 503, "the server is currently unable")
	b.prometheus["count by (node) (node_cpu_seconds_total"] = vector(row(`"node":"cloud"`, "8"))
	d := b.ask(t, "/nodes?metrics_filter=node_cpu_total%7Cnode_cpu_usage%7Cload1$")
	for i, want := range []string{`node_cpu_total ""`, `node_cpu_usage "the server is currently unable"`, `node_load1 ""`} {
		if got := fmt.Sprintf("%s %q", d.Results[i].Name, d.Results[i].Error); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	b.failing["metrics.k8s.io/nodes//"] = failed(hostabi.NotFound, 404, "the server could not find the requested resource")
	if d := b.ask(t, "/nodes?metrics_filter=node_cpu_usage"); d.Results[0].Error != "" {
		t.Errorf("a cluster without metrics-server has error %s", d.Results[0].Error)
	}
}

// allAtOnce: no question waits for another one's answer.
func allAtOnce(b *backends, t *testing.T) {
	var mu sync.Mutex
	waiting, open := 0, make(chan struct{})
	b.hold = func(ctx context.Context, _ string) error {
		mu.Lock()
		all := open
		if waiting++; waiting == len(clusterLevel.metrics) {
			waiting, open = 0, make(chan struct{})
			close(all)
		}
		mu.Unlock()
		select {
		case <-all:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for i, r := range b.ask(t, "/cluster").Results {
		if r.Error != "" {
			t.Errorf("metric %d: %s", i, r.Error)
		}
	}
}

// deadline: a question that is not answered in time costs its own metric only.
func deadline(b *backends, t *testing.T) {
	b.hold = func(ctx context.Context, expr string) error {
		if expr != "avg(node_load5)" {
			return nil
		}
		if _, ok := ctx.Deadline(); !ok {
			return errors.New("the question has no deadline")
		}
		<-ctx.Done()
		return ctx.Err()
	}
	b.prometheus["avg(node_load1"] = vector(row("", "1"))
	d := b.ask(t, "/cluster?metrics_filter=load")
	for i, want := range []string{`"" 1`, `"Prometheus did not answer in time" `, `"" 1`} {
		if got := fmt.Sprintf("%q %s", d.Results[i].Error, d.values(i)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// busyHost: requests that together have more questions than the host takes are answered nevertheless.
func busyHost(b *backends, t *testing.T) {
	var mu sync.Mutex
	underWay, full := 0, make(chan struct{})
	b.hold = func(ctx context.Context, _ string) error {
		mu.Lock()
		if underWay++; underWay == hostCalls {
			close(full)
		}
		mu.Unlock()
		select {
		case <-full:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			if a := b.m.Wasm(moduletest.Request{URI: base + "/cluster"}); a.Code != 200 || strings.Contains(a.Body, `"error"`) {
				t.Errorf("got %d %.2000s", a.Code, a.Body)
			}
		})
	}
	all.Wait()
}

// clientLeaves: every question ends with its client.
func clientLeaves(b *backends, t *testing.T) {
	native, wasm := b.m.Listen(t, &exchange.User{Name: "alice"})
	for _, address := range []string{native, wasm} {
		began, ended := make(chan struct{}, 100), make(chan error, 100)
		b.mu.Lock()
		b.hold = func(ctx context.Context, _ string) error {
			began <- struct{}{}
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return ctx.Err()
		}
		b.mu.Unlock()
		ctx, leave := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+base+"/cluster", nil)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			r, err := http.DefaultClient.Do(req)
			if err == nil {
				_ = r.Body.Close()
			}
			done <- err
		}()
		for range clusterLevel.metrics {
			<-began
		}
		leave()
		for range clusterLevel.metrics {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("a question ended with %v", err)
			}
		}
		if err := <-done; err == nil {
			t.Error("a client that left got an answer")
		}
	}
}

func routes(b *backends, t *testing.T) {
	b.refused(t, "/nothing", 404, "could not find")
	if a := b.m.Ask(t, moduletest.Request{Method: "POST", URI: base + "/nodes"}); a.Code != 405 {
		t.Errorf("got %d for a POST", a.Code)
	}
}

var _ service.Service = promService{}
