package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

const monitoring = "/kapis/monitoring.kubesphere.io/v1alpha3/"

// metrics is the answer of the monitoring group.
type metrics struct {
	Results []struct {
		Name  string `json:"metric_name"`
		Error string
		Data  struct {
			ResultType string
			Result     []struct {
				Metric map[string]string
				Value  []any
				Values [][]any
				Fee    *string
			}
		}
	}
	Page      int `json:"page"`
	TotalPage int `json:"total_page"`
	TotalItem int `json:"total_item"`
}

// ask queries the monitoring group as the administrator.
func ask(t *testing.T, c *http.Client, path string) metrics {
	t.Helper()
	code, body, _ := do(t, c, request{path: monitoring + path, user: "admin"})
	if code != 200 {
		t.Fatalf("%s: got %d %.300s", path, code, body)
	}
	var m metrics
	decode(t, body, &m)
	return m
}

// rows are a metric's rows by the value of a label.
func (m metrics) rows(name, label string) map[string]string {
	found := map[string]string{}
	for _, r := range m.Results {
		if r.Name != name {
			continue
		}
		for _, row := range r.Data.Result {
			if len(row.Value) == 2 {
				found[row.Metric[label]] = fmt.Sprint(row.Value[1])
			}
		}
	}
	return found
}

// TestMonitoringNodes asks for the nodes: those of the cloud come from the real Prometheus, those of the edge, which it
// cannot scrape, from the real metrics-server, each with a value that is a number.
func TestMonitoringNodes(t *testing.T) {
	c := client(t)
	var m metrics
	// metrics-server has a node's first usage after two of its rounds of 15 s.
	within(t, 2*time.Minute, "usage of all five nodes", func() bool {
		m = ask(t, c, "nodes?metrics_filter=node_cpu_usage%7Cnode_memory_total%7Cnode_load1$")
		return len(m.rows("node_cpu_usage", "node")) == 5 && len(m.rows("node_load1", "node")) > 0
	})
	for _, name := range []string{"node_cpu_usage", "node_memory_total"} {
		for node, value := range m.rows(name, "node") {
			if v, err := strconv.ParseFloat(value, 64); err != nil || v <= 0 {
				t.Errorf("%s of %s is %q", name, node, value)
			}
		}
	}
	for _, r := range m.Results {
		for _, row := range r.Data.Result {
			if edge := strings.HasPrefix(row.Metric["node"], "edge-"); edge != (row.Metric["role"] == "edge") {
				t.Errorf("%s has role %q", row.Metric["node"], row.Metric["role"])
			}
			if row.Fee == nil {
				t.Errorf("a row of %s lacks the metering strings", r.Name)
			}
		}
	}
	if one := ask(t, c, "nodes/edge-1?metrics_filter=node_cpu_usage").rows("node_cpu_usage", "node"); len(one) != 1 || one["edge-1"] == "" {
		t.Errorf("one edge node alone: got %v", one)
	}
}

// TestMonitoringOrder asks the same many times: the same order each time.
func TestMonitoringOrder(t *testing.T) {
	c := client(t)
	names := func() string {
		var all []string
		for _, r := range ask(t, c, "cluster").Results {
			all = append(all, r.Name)
		}
		return strings.Join(all, " ")
	}
	first := names()
	if n := strings.Count(first, " ") + 1; n != 49 {
		t.Errorf("the cluster has %d metrics, want 49", n)
	}
	for range 5 {
		if again := names(); again != first {
			t.Fatalf("the order changed from\n%s\nto\n%s", first, again)
		}
	}
}

// TestMonitoringPods sorts and pages the pods of a namespace.
func TestMonitoringPods(t *testing.T) {
	c := client(t)
	until(t, "usage of pods", func() bool {
		return len(ask(t, c, "namespaces/demo-shop/pods?metrics_filter=pod_cpu_usage").rows("pod_cpu_usage", "pod")) >= 3
	})
	m := ask(t, c, "namespaces/demo-shop/pods?metrics_filter=pod_cpu_usage&sort_metric=pod_cpu_usage&sort_type=desc&limit=2&page=1")
	if m.Page != 1 || m.TotalItem < 3 || m.TotalPage < 2 || len(m.Results) != 1 || len(m.Results[0].Data.Result) != 2 {
		t.Fatalf("page 1 of 2 rows: got %+v", m)
	}
	first, _ := strconv.ParseFloat(fmt.Sprint(m.Results[0].Data.Result[0].Value[1]), 64)
	second, _ := strconv.ParseFloat(fmt.Sprint(m.Results[0].Data.Result[1].Value[1]), 64)
	if first < second {
		t.Errorf("not sorted: %v before %v", first, second)
	}
}

// TestMonitoringRange asks for a range, and wrongly in several ways.
func TestMonitoringRange(t *testing.T) {
	c := client(t)
	now := time.Now().Unix()
	until(t, "points of a range", func() bool {
		m := ask(t, c, fmt.Sprintf("nodes?metrics_filter=node_cpu_usage&resources_filter=cloud-1&start=%d&end=%d&step=5s", now-60, time.Now().Unix()))
		return len(m.Results) == 1 && m.Results[0].Data.ResultType == "matrix" && len(m.Results[0].Data.Result) == 1 &&
			len(m.Results[0].Data.Result[0].Values) > 1
	})
	for path, want := range map[string]int{
		fmt.Sprintf("cluster?start=%d", now):                     400,
		fmt.Sprintf("cluster?start=%d&end=%d", now, now-10):      400,
		"cluster?time=1.5":                                       400,
		"nodes/not-there":                                        404,
		"namespaces/not-there/pods":                              404,
		`nodes?resources_filter=%22%7D+or+up%7Ba%3D%22`:          200, // no injection: a name that no node has
		"cluster?metrics_filter=%5B":                             400,
		"namespaces/demo-shop/pods?metrics_filter=no_such_thing": 200,
	} {
		code, body, header := do(t, c, request{path: monitoring + path, user: "admin"})
		if code != want {
			t.Errorf("%s: got %d %.300s, want %d", path, code, body, want)
		}
		if code >= 400 {
			wantStatus(t, code, body, header)
		} else if strings.Contains(body, `"value":[`) {
			t.Errorf("%s found something: %.300s", path, body)
		}
	}
}

// TestKubeEdge joins a node through the group's backend, whose credentials must not be the user's.
func TestKubeEdge(t *testing.T) {
	c := client(t)
	group := "/kapis/kubeedge.kubesphere.io"
	code, body, _ := do(t, c, request{path: group + "/v1alpha1/nodes/join?node_name=edge-9&node_ip=10.0.0.9", user: "admin"})
	if code != 200 || !strings.Contains(body, "keadm join") || !strings.Contains(body, "edge-9") {
		t.Errorf("join: got %d %s", code, body)
	}
	if code, body, _ := do(t, c, request{path: group + "/v1alpha1/nodes/join?node_name=edge-9", user: "admin"}); code != 400 || !strings.Contains(body, "Failure") {
		t.Errorf("join without an address: got %d %s", code, body)
	}
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		code, body, _ := do(t, c, request{
			method: method, path: group + "/echo?a=1&a=%32", user: "admin", header: http.Header{"Cookie": {"session=secret"}},
		})
		if code != 200 || !strings.Contains(body, `"`+method+`"`) || !strings.Contains(body, `a=1\u0026a=%32`) {
			t.Errorf("%s: got %d %s", method, code, body)
		}
		if strings.Contains(body, "Authorization") || strings.Contains(body, "secret") {
			t.Errorf("%s: a credential reached the backend: %s", method, body)
		}
	}
	if code, body, header := do(t, c, request{path: group + "/v1alpha1/nodes/join", user: "alice"}); code != 403 {
		t.Errorf("as alice: got %d %s", code, body)
	} else {
		wantStatus(t, code, body, header)
	}
}
