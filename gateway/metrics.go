package gateway

import (
	"strconv"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/posternhq/postern/gateway/core"
)

// collector reads the counters of parts that know nothing of Prometheus, when /metrics is asked for.
type collector struct{ g *Gateway }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("postern_"+name, help, labels, nil)
}

var (
	buildInfo      = describe("build_info", "1, with the version that runs.", "version")
	connections    = describe("connections", "Client connections open now, tunnels included.", "listener")
	accepted       = describe("connections_accepted_total", "Client connections accepted.", "listener")
	tooMany        = describe("connections_refused_total", "Client connections turned away by a limit.", "listener")
	refused        = describe("requests_malformed_total", "Requests answered by the listener: malformed, too long or too slow.", "listener")
	panics         = describe("panics_total", "Panics while serving a request; each cost that request alone.", "listener")
	limited        = describe("requests_limited_total", "Requests refused because too many were in flight.", "kind")
	logDropped     = describe("log_lines_dropped_total", "Log lines that found the queue full.")
	reloadOK       = describe("config_last_reload_successful", "1 if the last reload of the configuration succeeded.")
	reloadTime     = describe("config_last_reload_success_timestamp_seconds", "When the configuration that serves was loaded.")
	upstreamOpen   = describe("upstream_connections", "Connections to kube-apiserver.", "state")
	upstreamDials  = describe("upstream_dials_total", "Connections opened to kube-apiserver.")
	upstreamReused = describe("upstream_reused_total", "Requests sent on a connection that was open already.")
	upstreamErrors = describe("upstream_errors_total", "Requests that could not be relayed, by kind.", "kind")
	upstreamBytes  = describe("upstream_bytes_total", "Bytes from (in) and to (out) kube-apiserver, TLS not counted.", "direction")
)

// Describe names nothing: what there is depends on modules and listeners.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect reads every counter once.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		for i, l := range labels {
			if !utf8.ValidString(l) {
				labels[i] = strconv.Quote(l) // a file may have any name: the library panics, and two names must not become one
			}
		}
		out <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	send(buildInfo, prometheus.GaugeValue, 1, core.Build().GitVersion)
	send(logDropped, prometheus.CounterValue, float64(c.g.queue.Dropped()))
	c.listeners(send)
	c.reload(send)
	c.upstream(send)
	c.modules(send, out)
}

type sender func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string)

func (c *collector) listeners(send sender) {
	for name, s := range *c.g.named.Load() {
		st := s.Stats()
		send(connections, prometheus.GaugeValue, float64(st.Open), name)
		send(accepted, prometheus.CounterValue, float64(st.Accepted), name)
		send(tooMany, prometheus.CounterValue, float64(st.TooMany), name)
		send(refused, prometheus.CounterValue, float64(st.Refused), name)
		send(panics, prometheus.CounterValue, float64(st.Panics), name)
	}
	if s := c.g.long.current.Load().limit; s != nil {
		st := s.Stats()
		send(limited, prometheus.CounterValue, float64(st.RefusedInFlight), "in-flight")
		send(limited, prometheus.CounterValue, float64(st.RefusedLongRunning), "long-running")
	}
}

func (c *collector) reload(send sender) {
	if c.g.opts.Reload == nil {
		return
	}
	s, ok := c.g.opts.Reload(), 0.0
	if s.OK {
		ok = 1
	}
	send(reloadOK, prometheus.GaugeValue, ok)
	send(reloadTime, prometheus.GaugeValue, float64(s.Succeeded.UnixMilli())/1000)
}

func (c *collector) upstream(send sender) {
	st := c.g.long.current.Load().proxy.Stats()
	send(upstreamOpen, prometheus.GaugeValue, float64(st.Open-st.Idle), "busy")
	send(upstreamOpen, prometheus.GaugeValue, float64(st.Idle), "idle")
	send(upstreamDials, prometheus.CounterValue, float64(st.Dials))
	send(upstreamReused, prometheus.CounterValue, float64(st.Reused))
	send(upstreamBytes, prometheus.CounterValue, float64(st.BytesIn), "in")
	send(upstreamBytes, prometheus.CounterValue, float64(st.BytesOut), "out")
	for kind, n := range st.Errors {
		send(upstreamErrors, prometheus.CounterValue, float64(n), kind)
	}
}
