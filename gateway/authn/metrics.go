package authn

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what the stage does. Nil counts nothing.
type Metrics struct {
	passed, refused map[string]prometheus.Counter // by method
	passwords       prometheus.Counter
}

// NewMetrics registers postern_authn_requests_total{method,result} and postern_authn_password_checks_total. Stages that
// follow each other share it.
func NewMetrics(r prometheus.Registerer) *Metrics {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_authn_requests_total", Help: "Requests that reached authentication, by method and result.",
	}, []string{"method", "result"})
	m := &Metrics{
		passed: map[string]prometheus.Counter{}, refused: map[string]prometheus.Counter{},
		passwords: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "postern_authn_password_checks_total", Help: "Passwords compared with a bcrypt hash.",
		}),
	}
	r.MustRegister(v, m.passwords)
	for _, method := range []string{Anonymous, Basic, Bearer, "other"} {
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

func (m *Metrics) passwordChecked() {
	if m != nil {
		m.passwords.Inc()
	}
}
