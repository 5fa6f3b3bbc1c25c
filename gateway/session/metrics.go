package session

import (
	"errors"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what a Keeper does. Nil counts nothing.
type Metrics struct {
	keeper    atomic.Pointer[Keeper]
	ends      *prometheus.CounterVec
	once      *prometheus.CounterVec
	throttles prometheus.Counter
	reads     prometheus.Counter
	failures  prometheus.Counter
}

// NewMetrics registers the metrics that the README lists.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		ends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postern_session_ends_total", Help: "Sessions ended here, by what was ended and result.",
		}, []string{"what", "result"}),
		once: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postern_session_once_total", Help: "One-time ids, by result.",
		}, []string{"result"}),
		throttles: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "postern_session_throttled_total", Help: "Attempts to log in that have to wait.",
		}),
	}
	m.reads = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "postern_session_redis_reads_total", Help: "How often everything was read from Redis: once a connection, and when something could not be stored.",
	})
	m.failures = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "postern_session_redis_errors_total", Help: "Commands and messages of Redis that failed.",
	})
	r.MustRegister(m.ends, m.once, m.throttles, m.reads, m.failures)
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "postern_session_stored", Help: "1 if what ends is stored where it belongs, Redis or journal; 0 while that is gone.",
	}, m.stored))
	for _, what := range []kind{kindSession, kindUser, kindOnce} {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "postern_session_known", Help: "What is remembered, by kind; each is bounded by 250000.", ConstLabels: prometheus.Labels{"what": what.String()},
		}, func() float64 { return m.known(what) }))
	}
	return m
}

// String names k as metrics do.
func (k kind) String() string {
	return map[kind]string{kindSession: "session", kindUser: "user", kindOnce: "once"}[k]
}

func (m *Metrics) watch(k *Keeper) {
	if m != nil {
		m.keeper.Store(k)
	}
}

func (m *Metrics) stored() float64 {
	if k := m.keeper.Load(); k == nil || k.Note() != "" {
		return 0
	}
	return 1
}

func (m *Metrics) redisRead() {
	if m != nil {
		m.reads.Inc()
	}
}

func (m *Metrics) redisFailed() {
	if m != nil {
		m.failures.Inc()
	}
}

func (m *Metrics) known(what kind) float64 {
	k := m.keeper.Load()
	if k == nil {
		return 0
	}
	switch what {
	case kindSession:
		return float64(k.memory.ended.size.Load())
	case kindUser:
		return float64(k.memory.users.size.Load())
	default:
		return float64(k.memory.once.size.Load())
	}
}

func result(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrFull):
		return "full"
	default:
		return "unavailable"
	}
}

func (m *Metrics) end(what kind, err error) {
	if m != nil {
		m.ends.WithLabelValues(what.String(), result(err)).Inc()
	}
}

func (m *Metrics) used(first bool, err error) {
	if m == nil {
		return
	}
	text := result(err)
	if err == nil && !first {
		text = "again"
	}
	m.once.WithLabelValues(text).Inc()
}

func (m *Metrics) throttled() {
	if m != nil {
		m.throttles.Inc()
	}
}
