package authn

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what the stage does. Nil counts nothing.
type Metrics struct {
	passed, refused map[string]prometheus.Counter // by method
}

// NewMetrics registers postern_authn_requests_total{method,result}. Stages that follow each other share it.
func NewMetrics(r prometheus.Registerer) *Metrics {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_authn_requests_total", Help: "Requests that reached authentication, by method and result.",
	}, []string{"method", "result"})
	m := &Metrics{passed: map[string]prometheus.Counter{}, refused: map[string]prometheus.Counter{}}
	r.MustRegister(v)
	for _, method := range []string{Anonymous, Basic, Bearer, OIDC, ServiceAccount, Certificate, "other"} {
		m.passed[method], m.refused[method] = v.WithLabelValues(method, "pass"), v.WithLabelValues(method, "refuse")
	}
	return m
}

func (m *Metrics) count(method string, err error) {
	switch {
	case m == nil:
	case err == nil:
		m.passed[method].Inc()
	default:
		m.refused[method].Inc()
	}
}
