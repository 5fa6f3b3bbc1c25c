package users

import "github.com/prometheus/client_golang/prometheus"

// metrics of a Writer.
type metrics struct {
	hashed, written, dropped, deleted prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "postern", Name: name, Help: help})
	}
	m := &metrics{
		hashed:  counter("passwords_hashed_total", "Passwords that were stored as plain text and hashed by this replica."),
		written: counter("login_records_written_total", "Login records written."),
		dropped: counter("login_records_dropped_total", "Login records that were not written: the queue was full, or Kubernetes did not take them."),
		deleted: counter("login_records_deleted_total", "Login records deleted for their age or their number."),
	}
	if r != nil {
		r.MustRegister(m.hashed, m.written, m.dropped, m.deleted)
	}
	return m
}
