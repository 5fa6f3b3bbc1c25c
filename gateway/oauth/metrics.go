package oauth

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count answers. They outlive configurations.
type Metrics struct{ answers *prometheus.CounterVec }

// NewMetrics makes and registers them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_oauth_answers_total", Help: "Answers of the OAuth server, by endpoint and HTTP status.",
	}, []string{"endpoint", "code"})}
	r.MustRegister(m.answers)
	return m
}

// count takes part in at most ten endpoints and the statuses of this package: no request chooses a label.
func (m *Metrics) count(endpoint string, code int) {
	if m != nil {
		m.answers.WithLabelValues(endpoint, strconv.Itoa(code)).Inc()
	}
}
