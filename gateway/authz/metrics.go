package authz

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts decisions of the stage. Nil counts nothing.
type Metrics struct{ allowed, denied prometheus.Counter }

// NewMetrics registers postern_authz_decisions_total{decision="allow"|"deny"}. Stages that follow each other share it.
func NewMetrics(r prometheus.Registerer) *Metrics {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_authz_decisions_total", Help: "Requests that reached authorization, by decision.",
	}, []string{"decision"})
	r.MustRegister(v)
	return &Metrics{allowed: v.WithLabelValues("allow"), denied: v.WithLabelValues("deny")}
}

func (m *Metrics) count(allowed bool) {
	switch {
	case m == nil:
	case allowed:
		m.allowed.Inc()
	default:
		m.denied.Inc()
	}
}
