package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/manager"
)

// Of files, as the manager has them.
var (
	moduleInfo   = describe("module_info", "1 for each module that serves.", "module", "file", "version", "digest")
	rollbacks    = describe("module_rollbacks_total", "Versions of modules that were taken back, by why.", "reason")
	moduleFailed = describe("module_file_failed", "1 if the file as it is now could not be loaded.", "file")
)

// Of rollouts under way.
var (
	trialRequests = describe("module_rollout_requests", "Requests since the rollout began, by version.", "file", "digest", "version")
	trialErrors   = describe("module_rollout_errors", "Answers of 500 and above since the rollout began, by version.", "file", "digest", "version")
	trialLatency  = describe("module_rollout_latency_seconds", "Latency since the rollout began, by version.", "file", "digest", "version", "quantile")
)

// rollout sends how the two versions of a rollout do.
func (c *collector) rollout(send sender, s *manager.Status) {
	if s.Rollout == nil {
		return
	}
	for _, arm := range []struct {
		digest, version string
		manager.ArmStatus
	}{{s.Digest, "main", s.Rollout.Main}, {s.Rollout.Digest, "next", s.Rollout.Next}} {
		send(trialRequests, prometheus.GaugeValue, float64(arm.Requests), s.File, arm.digest, arm.version)
		send(trialErrors, prometheus.GaugeValue, float64(arm.Errors), s.File, arm.digest, arm.version)
		send(trialLatency, prometheus.GaugeValue, arm.P90.Seconds(), s.File, arm.digest, arm.version, "0.9")
		send(trialLatency, prometheus.GaugeValue, arm.P99.Seconds(), s.File, arm.digest, arm.version, "0.99")
	}
}

// Of modules: counters go on when a module is swapped, gauges add up its generations.
var (
	moduleTraps    = moduleDesc("traps_total", "Instances lost, by why.", "kind")
	moduleCalls    = moduleDesc("host_calls_total", "Host calls, by the service they reach.", "service")
	moduleReached  = moduleDesc("limit_reached_total", "How often a limit was run into, by its key in postern.modules.defaults.", "limit")
	moduleLatency  = moduleDesc("request_duration_seconds", "Time until the module's answer was there; waiting included, refusals of the breaker not.")
	moduleCounters = []struct {
		desc *prometheus.Desc
		kind prometheus.ValueType
		read func(*module.Counters) float64
	}{
		{moduleDesc("requests_total", "Requests."), prometheus.CounterValue, func(c *module.Counters) float64 { return float64(c.Requests) }},
		{moduleDesc("failures_total", "Requests that failed in the module: trap, deadline, no room, breaker."), prometheus.CounterValue, func(c *module.Counters) float64 { return float64(c.Failures) }},
		{moduleDesc("breaker_opened_total", "Times that the breaker opened."), prometheus.CounterValue, func(c *module.Counters) float64 { return float64(c.BreakerOpened) }},
		{moduleDesc("breaker_refused_total", "Requests that the open breaker refused."), prometheus.CounterValue, func(c *module.Counters) float64 { return float64(c.BreakerRefused) }},
		{moduleDesc("guest_cpu_seconds_total", "CPU inside the guest."), prometheus.CounterValue, func(c *module.Counters) float64 { return float64(c.GuestNanoseconds) / 1e9 }},
		{moduleDesc("fuel_total", "Thousands of back-edges of the guest's loops."), prometheus.CounterValue, func(c *module.Counters) float64 { return float64(c.Fuel) }},
		{moduleDesc("log_lines_total", "Log lines of the guest."), prometheus.CounterValue, func(c *module.Counters) float64 { return float64(c.LogLines) }},
		{moduleDesc("log_lines_dropped_total", "Log lines of the guest over its rate."), prometheus.CounterValue, func(c *module.Counters) float64 { return float64(c.LogLinesDropped) }},
		{moduleDesc("request_bytes_total", "Bytes of requests' bodies that the guest read."), prometheus.CounterValue, func(c *module.Counters) float64 { return float64(c.RequestBytesRead) }},
		{moduleDesc("response_bytes_total", "Bytes of the guest's answers; what it forwards is not counted."), prometheus.CounterValue, func(c *module.Counters) float64 { return float64(c.ResponseBytes) }},
		{moduleDesc("backend_sent_bytes_total", "Bytes of host calls' records and bodies."), prometheus.CounterValue, func(c *module.Counters) float64 { return float64(c.BackendBytesSent) }},
		{moduleDesc("backend_received_bytes_total", "Bytes that backends answered."), prometheus.CounterValue, func(c *module.Counters) float64 { return float64(c.BackendBytesReceived) }},
		{moduleDesc("instances_created_total", "Instances made."), prometheus.CounterValue, func(c *module.Counters) float64 { return float64(c.InstancesMade) }},
		{moduleDesc("instances_recycled_total", "Instances replaced for their memory."), prometheus.CounterValue, func(c *module.Counters) float64 { return float64(c.InstancesRecycled) }},
		{moduleDesc("sleeps_total", "Times that it was unloaded for want of requests."), prometheus.CounterValue, func(c *module.Counters) float64 { return float64(c.Sleeps) }},
		{moduleDesc("wakes_total", "Times that a request had it loaded again."), prometheus.CounterValue, func(c *module.Counters) float64 { return float64(c.Wakes) }},
		{moduleDesc("wake_seconds_total", "Time that waking took."), prometheus.CounterValue, func(c *module.Counters) float64 { return float64(c.WakeNanoseconds) / 1e9 }},
		{moduleDesc("instances", "Instances alive."), prometheus.GaugeValue, func(c *module.Counters) float64 { return float64(c.Instances) }},
		{moduleDesc("memory_bytes", "Linear memory of all instances."), prometheus.GaugeValue, func(c *module.Counters) float64 { return float64(c.MemoryBytes) }},
		{moduleDesc("instance_memory_peak_bytes", "The most memory that one instance has had."), prometheus.GaugeValue, func(c *module.Counters) float64 { return float64(c.MemoryPeakBytes) }},
	}
)

// Of each generation that is not closed: the one that serves, a canary, those that end their last requests.
var (
	generationGauges = []struct {
		desc *prometheus.Desc
		read func(*module.Description) float64
	}{
		{generationDesc("requests_in_flight", "Requests being served."), func(d *module.Description) float64 { return float64(d.RequestsInFlight) }},
		{generationDesc("requests_queued", "Requests that wait for their turn."), func(d *module.Description) float64 { return float64(d.RequestsQueued) }},
		{generationDesc("host_calls_in_flight", "Host calls under way."), func(d *module.Description) float64 { return float64(d.HostCallsInFlight) }},
		{generationDesc("breaker_state", "0 closed, 1 half open, 2 open."), func(d *module.Description) float64 { return breakerStates[d.Breaker.State] }},
		{generationDesc("asleep", "1 while it has given its code and instances back."), func(d *module.Description) float64 {
			if d.State == module.Asleep {
				return 1
			}
			return 0
		}},
		{generationDesc("compile_seconds", "Time to compile it, or to find it in the cache."), func(d *module.Description) float64 { return d.CompileSeconds }},
		{generationDesc("rewrite_seconds", "Time to make its code interruptible."), func(d *module.Description) float64 { return d.RewriteSeconds }},
		{generationDesc("instantiate_seconds", "Time to make its first instance, its check included."), func(d *module.Description) float64 { return d.InstanceSeconds }},
		{generationDesc("load_seconds", "Time until it could serve."), func(d *module.Description) float64 { return d.LoadSeconds }},
	}
	generationLimit = generationDesc("limit", "The limits that hold, by key; bytes, seconds, counts.", "limit")
	breakerStates   = map[string]float64{"closed": 0, "half-open": 1, "open": 2}
)

func moduleDesc(name, help string, labels ...string) *prometheus.Desc {
	return describe("module_"+name, help, append([]string{"module"}, labels...)...)
}

func generationDesc(name, help string, labels ...string) *prometheus.Desc {
	return moduleDesc(name, help, append([]string{"digest"}, labels...)...)
}

func (c *collector) modules(send sender, out chan<- prometheus.Metric) {
	for _, s := range c.g.long.modules.Status() {
		c.rollout(send, &s)
		failed := 0.0
		if s.Error != "" {
			failed = 1
		}
		send(moduleFailed, prometheus.GaugeValue, failed, s.File)
		if s.Name != "" {
			send(moduleInfo, prometheus.GaugeValue, 1, s.Name, s.File, s.Version, s.Digest)
		}
	}
	for reason, n := range c.g.long.modules.Rollbacks() {
		send(rollbacks, prometheus.CounterValue, float64(n), reason)
	}
	for _, t := range c.g.long.engine.AllTotals() {
		sendModule(send, out, t)
	}
}

func sendModule(send sender, out chan<- prometheus.Metric, t *module.Totals) {
	n := t.Counters()
	for _, m := range moduleCounters {
		send(m.desc, m.kind, m.read(&n), t.Name)
	}
	for desc, by := range map[*prometheus.Desc]map[string]int64{
		moduleTraps: n.TrapsByKind(), moduleCalls: n.HostCallsByService(), moduleReached: n.LimitsReached(),
	} {
		for label, v := range by {
			send(desc, prometheus.CounterValue, float64(v), t.Name, label)
		}
	}
	l := &n.Latency
	out <- prometheus.MustNewConstHistogram(moduleLatency, uint64(l.Count()), l.Sum(), l.Buckets(), t.Name)
	sent := map[string]bool{} // of two generations of the same file, the newer one
	for _, g := range t.Generations() {
		d := g.Describe()
		if digest := d.Digest[:12]; !sent[digest] {
			sent[digest] = true
			sendGeneration(send, &d, t.Name, digest)
		}
	}
}

func sendGeneration(send sender, d *module.Description, name, digest string) {
	for _, m := range generationGauges {
		send(m.desc, prometheus.GaugeValue, m.read(d), name, digest)
	}
	for _, l := range d.Limits {
		send(generationLimit, prometheus.GaugeValue, l.Limit, name, digest, l.Name)
	}
}
