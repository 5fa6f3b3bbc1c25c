package filter

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the series of all filters. They last as long as the gateway; those of a filter that is gone go with it.
type Metrics struct {
	requests, events *prometheus.CounterVec
	current          atomic.Pointer[Set]
}

var stateDesc = prometheus.NewDesc("postern_filter_state", "What a filter holds: entries, bytes, buckets, its state.", []string{"filter", "kind", "state"}, nil)

// NewMetrics registers the series.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postern_filter_requests_total", Help: "Requests that filters saw, by what they did: passed, answered, panicked.",
		}, []string{"filter", "kind", "outcome"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postern_filter_events_total", Help: "What happened in filters, in the words of their kind.",
		}, []string{"filter", "kind", "event"}),
	}
	r.MustRegister(m.requests, m.events, m)
	return m
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) { to <- stateDesc }

// Collect asks the filters in use.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	set := m.current.Load()
	if set == nil || !set.shares.Take() {
		return
	}
	defer set.release()
	for _, u := range set.uses {
		f, ok := u.inst.filter.(Measurer)
		if !ok {
			continue
		}
		f.Measure(func(name string, value float64) {
			to <- prometheus.MustNewConstMetric(stateDesc, prometheus.GaugeValue, value, u.spec.Name, u.spec.Kind, name)
		})
	}
}

type outcomes struct{ passed, answered, panicked prometheus.Counter }

func (m *Metrics) outcomes(s Spec) *outcomes {
	of := func(outcome string) prometheus.Counter { return m.requests.WithLabelValues(s.Name, s.Kind, outcome) }
	return &outcomes{of("passed"), of("answered"), of("panicked")}
}

// event is Env.Event of a filter.
func (m *Metrics) event(s Spec) func(string) prometheus.Counter {
	return func(event string) prometheus.Counter { return m.events.WithLabelValues(s.Name, s.Kind, event) }
}

// use makes s the set that is asked, and drops the series of filters that it does not have.
func (m *Metrics) use(s *Set) {
	old := m.current.Swap(s)
	if old == nil {
		return
	}
	for _, u := range old.uses {
		if !s.has(u.spec.Name, u.spec.Kind) {
			labels := prometheus.Labels{"filter": u.spec.Name, "kind": u.spec.Kind}
			m.requests.DeletePartialMatch(labels)
			m.events.DeletePartialMatch(labels)
		}
	}
}
