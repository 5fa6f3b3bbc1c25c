package visible

import "github.com/prometheus/client_golang/prometheus"

// metrics counts what the stage answers, and what that costs. Nil counts nothing.
type metrics struct {
	lists, watches   prometheus.Counter
	asks, objects    prometheus.Counter
	passed, withheld prometheus.Counter
	open             prometheus.Gauge
}

// newMetrics registers the stage's metrics.
func newMetrics(r prometheus.Registerer) *metrics {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_visible_requests_total", Help: "Lists and watches that were answered with a part, by verb.",
	}, []string{"verb"})
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_visible_events_total", Help: "Events of watches that were looked at, by what became of them: shown or withheld.",
	}, []string{"outcome"})
	m := &metrics{
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

func (m *metrics) request(verb string) {
	switch {
	case m == nil:
	case verb == "list":
		m.lists.Inc()
	default:
		m.watches.Inc()
	}
}

func (m *metrics) asked() {
	if m != nil {
		m.asks.Inc()
	}
}

func (m *metrics) shown(objects int64) {
	if m != nil {
		m.objects.Add(float64(objects))
	}
}

func (m *metrics) event(shown bool) {
	switch {
	case m == nil:
	case shown:
		m.passed.Inc()
	default:
		m.withheld.Inc()
	}
}

func (m *metrics) watching(n float64) {
	if m != nil {
		m.open.Add(n)
	}
}
