package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/moduletest"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// backends are a Prometheus and a Kubernetes of the tests' own. Each test sets what they answer; the module is compiled once.
type backends struct {
	m *moduletest.Module

	mu    sync.Mutex
	asked []string // what Prometheus was asked, as text
	// prometheus answers by the beginning of an expression; nil: nothing is configured.
	prometheus map[string]answer
	objects    map[string]string // by "group/resource/namespace/name", lists without a name
	failing    map[string]service.Result
	kube       []string // what Kubernetes was asked
	// hold, if set, is called before Prometheus answers.
	hold func(ctx context.Context, expr string) error
}

// answer is a vector's or matrix' result, or an error.
type answer struct {
	result string
	fail   service.Result
}

func vector(rows ...string) answer { return answer{result: "[" + strings.Join(rows, ",") + "]"} }

// row is a row of a vector; labels are `a="b"` pairs in JSON's form.
func row(labels, value string) string {
	return fmt.Sprintf(`{"metric":{%s},"value":[1790000000.5,%q]}`, labels, value)
}

func failed(code hostabi.Code, status int, text string) service.Result {
	return service.Result{Code: code, Status: status, Err: text}
}

// hostCalls is how many calls the module may have under way: more than one request needs, less than two do.
const hostCalls = 60

// TestMonitoring compiles the module once for all that follows.
func TestMonitoring(t *testing.T) {
	b := new(backends)
	limits := module.DefaultLimits()
	limits.HostCalls = hostCalls
	policy := module.Policy{
		Limits: limits, Settings: json.RawMessage(`{"queryTimeout":"3s"}`),
		Grants: service.Grants{Prometheus: true, Kube: []service.KubeGrant{{Groups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}}},
	}
	moduletest.Ways(t, module.Services{Prometheus: promService{b}, Kube: kubeService{b}}, policy, func(t *testing.T, m *moduletest.Module) {
		b.m = m
		b.all(t)
	})
}

// all runs the tests, each with backends that are as new.
func (b *backends) all(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(b *backends, t *testing.T)
	}{
		{"names", names},
		{"shape", shapes},
		{"range", ranges},
		{"metrics filter", metricsFilter},
		{"resources filter", resourcesFilter},
		{"parameters", parameters},
		{"sort", sorts},
		{"page", pages},
		{"edge nodes", edges},
		{"one edge node", oneEdge},
		{"edge of the past", edgePast},
		{"edge pods", podEdges},
		{"pods", pods},
		{"namespace's age", age},
		{"unknown", unknown},
		{"errors", failures},
		{"metrics-server fails", metricsServerFails},
		{"all at once", allAtOnce},
		{"deadline", deadline},
		{"busy", busyHost},
		{"client leaves", clientLeaves},
		{"routes", routes},
	} {
		*b = backends{m: b.m, objects: map[string]string{}, failing: map[string]service.Result{}, prometheus: map[string]answer{}}
		t.Run(test.name, func(t *testing.T) { test.run(b, t) })
	}
}

type promService struct{ *backends }

// Do implements service.Service.
func (p promService) Do(ctx context.Context, call *service.Call) service.Result {
	get := func(tag hostabi.Tag) string { return string(call.Record.Get(tag)) }
	expr := get(hostabi.TagExpr)
	p.mu.Lock()
	text := get(hostabi.TagOperation) + " " + get(hostabi.TagTime) + get(hostabi.TagStart) + "-" + get(hostabi.TagEnd) + "/" + get(hostabi.TagStep) + " " + expr
	p.asked = append(p.asked, text)
	hold := p.hold
	prometheus := p.prometheus
	p.mu.Unlock()
	if hold != nil {
		if err := hold(ctx, expr); err != nil {
			return service.Broken(ctx, "Prometheus", err)
		}
	}
	if prometheus == nil {
		return failed(hostabi.NotFound, 0, "the gateway has no Prometheus")
	}
	best := ""
	for begin := range prometheus {
		if strings.HasPrefix(expr, begin) && len(begin) >= len(best) {
			best = begin
		}
	}
	a := prometheus[best]
	if a.fail.Code != hostabi.OK {
		return a.fail
	}
	if a.result == "" {
		a.result = "[]"
	}
	return service.Result{Status: 200, Body: []byte(`{"resultType":"vector","result":` + a.result + `}`)}
}

type kubeService struct{ *backends }

// Do implements service.Service.
func (k kubeService) Do(_ context.Context, call *service.Call) service.Result {
	get := func(tag hostabi.Tag) string { return string(call.Record.Get(tag)) }
	key := strings.Join([]string{get(hostabi.TagGroup), get(hostabi.TagResource), get(hostabi.TagNamespace), get(hostabi.TagName)}, "/")
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kube = append(k.kube, get(hostabi.TagOperation)+" "+get(hostabi.TagAs)+" "+key+" "+get(hostabi.TagLabelSelector))
	if failure, ok := k.failing[key]; ok {
		return failure
	}
	body, ok := k.objects[key]
	switch {
	case ok:
		return service.Result{Status: 200, Body: []byte(body)}
	case get(hostabi.TagOperation) == "list":
		return service.Result{Status: 200, Body: []byte(`{"items":[]}`)}
	}
	return failed(hostabi.NotFound, http.StatusNotFound, "not found")
}

// sorted are what Prometheus was asked by the native and the compiled module, each question once, in alphabetical order.
func (b *backends) sorted() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	asked := slices.Clone(b.asked)
	slices.Sort(asked)
	return slices.Compact(asked)
}

// document is the answer's JSON.
type document struct {
	Results []struct {
		Name string `json:"metric_name"`
		Data struct {
			ResultType string
			Result     []map[string]any
		}
		Error string
	}
	Page      *int
	TotalPage *int `json:"total_page"`
	TotalItem *int `json:"total_item"`
}

const base = "/kapis/monitoring.kubesphere.io/v1alpha3"

// ask asks both modules and expects 200.
func (b *backends) ask(t *testing.T, uri string) document {
	t.Helper()
	a := b.m.Ask(t, moduletest.Request{URI: base + uri})
	var d document
	if err := json.Unmarshal([]byte(a.Body), &d); err != nil || a.Code != 200 || !strings.Contains(a.Headers, "Content-Type: application/json") {
		t.Fatalf("%s: got %d %s (%v)", uri, a.Code, a.Body, err)
	}
	return d
}

// refused asks both modules and expects a Status whose message contains text.
func (b *backends) refused(t *testing.T, uri string, code int, text string) {
	t.Helper()
	a := b.m.Ask(t, moduletest.Request{URI: base + uri})
	if a.Code != code || !strings.Contains(a.Body, `"kind":"Status"`) || !strings.Contains(a.Body, text) {
		t.Errorf("%s: got %d %s, want %d and %q", uri, a.Code, a.Body, code, text)
	}
}

// column are the values of a label of all rows; those of empty slots are "-".
func (d document) column(metric int, label string) string {
	var values []string
	for _, r := range d.Results[metric].Data.Result {
		labels, _ := r["metric"].(map[string]any)
		value, ok := labels[label].(string)
		if !ok {
			value = "-"
		}
		values = append(values, value)
	}
	return strings.Join(values, " ")
}

// values are the figures of all rows.
func (d document) values(metric int) string {
	var values []string
	for _, r := range d.Results[metric].Data.Result {
		point, ok := r["value"].([]any)
		if !ok {
			values = append(values, "-")
			continue
		}
		values = append(values, point[1].(string))
	}
	return strings.Join(values, " ")
}
