package visible

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what the stage answers, and what that costs. Nil counts nothing.
type Metrics struct {
	lists, watches   prometheus.Counter
	asks, objects    prometheus.Counter
	passed, withheld prometheus.Counter
	open             prometheus.Gauge
}

// NewMetrics registers the stage's metrics. Stages that follow each other share them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_visible_requests_total", Help: "Lists and watches that were answered with a part, by verb.",
	}, []string{"verb"})
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_visible_events_total", Help: "Events of watches that were looked at, by what became of them: shown or withheld.",
	}, []string{"outcome"})
	m := &Metrics{
		lists: requests.WithLabelValues("list"), watches: requests.WithLabelValues("watch"),
		passed: events.WithLabelValues("shown"), withheld: events.WithLabelValues("withheld"),
		asks: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "postern_visible_upstream_requests_total", Help: "Requests to kube-apiserver that lists and watches became.",
		}),
		objects: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "postern_visible_objects_total", Help: "Objects in lists that were answered with a part.",
		}),
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "postern_visible_watches", Help: "Watches being answered with a part.",
		}),
	}
	r.MustRegister(requests, events, m.asks, m.objects, m.open)
	return m
}

func (m *Metrics) request(verb string) {
	switch {
	case m == nil:
	case verb == "list":
		m.lists.Inc()
	default:
		m.watches.Inc()
	}
}

func (m *Metrics) asked() {
	if m != nil {
		m.asks.Inc()
	}
}

func (m *Metrics) shown(objects int64) {
	if m != nil {
		m.objects.Add(float64(objects))
	}
}

func (m *Metrics) event(shown bool) {
	switch {
	case m == nil:
	case shown:
		m.passed.Inc()
	default:
		m.withheld.Inc()
	}
}

func (m *Metrics) watching(n float64) {
	if m != nil {
		m.open.Add(n)
	}
}
