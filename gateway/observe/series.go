package observe

import (
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/posternhq/postern/gateway/exchange"
)

// maxSeries bounds the label sets that requests can make: group, version and resource come from the path, so a client
// could invent any number. Further ones, and those that were never answered well, are counted as "other".
const maxSeries = 1000

// labels are upstream's, by which existing dashboards ask.
type labels struct{ verb, group, version, resource string }

var other = labels{"other", "other", "other", "other"}

// series are the metrics of one label set, looked up once.
type series struct {
	labels   labels
	duration prometheus.Observer
	codes    atomic.Pointer[map[int]prometheus.Counter]
}

// valid says whether the library takes the labels: it panics at what is not UTF-8.
func (l labels) valid() bool {
	for _, s := range [...]string{l.verb, l.group, l.version, l.resource} {
		if len(s) > maxLabel || !utf8.ValidString(s) {
			return false
		}
	}
	return true
}

// maxLabel is longer than any group or resource of Kubernetes, bytes.
const maxLabel = 256

// metrics are the request metrics. Known label sets are found without a lock or an allocation.
type metrics struct {
	total    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	most     int // series that requests can make
	known    atomic.Pointer[map[labels]*series]
	mu       sync.Mutex // one writer of known, or of a series' codes
}

// buckets are seconds. They begin where a gateway's own cost can be seen; upstream's begin at 50 ms.
var buckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		most: maxSeries,
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ks_server_request_total",
			Help: "Requests answered, proxied ones included.",
		}, []string{"verb", "group", "version", "resource", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "ks_server_request_duration_seconds",
			Help:    "Time from a request's head to the end of its answer; watches and other long-running requests are left out.",
			Buckets: buckets,
		}, []string{"verb", "group", "version", "resource"}),
	}
	m.known.Store(&map[labels]*series{})
	m.add(other)
	r.MustRegister(m.total, m.duration)
	return m
}

// observe counts an exchange that ended with code after so many seconds.
func (m *metrics) observe(info *exchange.RequestInfo, code int, seconds float64) {
	s := m.find(labels{info.Verb, info.APIGroup, info.APIVersion, info.Resource}, code)
	m.counter(s, code).Inc()
	if !info.LongRunning() {
		s.duration.Observe(seconds)
	}
}

// find is the series of l. A new one is made only for what was answered well.
func (m *metrics) find(l labels, code int) *series {
	known := *m.known.Load()
	if s := known[l]; s != nil {
		return s
	}
	if code >= 400 || len(known) >= m.most || !l.valid() {
		return known[other]
	}
	return m.add(labels{strings.Clone(l.verb), strings.Clone(l.group), strings.Clone(l.version), strings.Clone(l.resource)})
}

func (m *metrics) add(l labels) *series {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := *m.known.Load()
	if s := known[l]; s != nil {
		return s
	}
	if len(known) >= m.most { // another request took the last place
		return known[other]
	}
	s := &series{labels: l, duration: m.duration.WithLabelValues(l.verb, l.group, l.version, l.resource)}
	s.codes.Store(&map[int]prometheus.Counter{})
	next := maps.Clone(known)
	next[l] = s
	m.known.Store(&next)
	return s
}

// counter is a series' counter for a status code. Codes are few: a backend's odd one counts as its class.
func (m *metrics) counter(s *series, code int) prometheus.Counter {
	if c := (*s.codes.Load())[code]; c != nil {
		return c
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	codes := *s.codes.Load()
	if len(codes) >= 32 {
		code = code / 100 * 100
	}
	if c := codes[code]; c != nil {
		return c
	}
	next := maps.Clone(codes)
	next[code] = m.total.WithLabelValues(s.labels.verb, s.labels.group, s.labels.version, s.labels.resource, strconv.Itoa(code))
	s.codes.Store(&next)
	return next[code]
}
