package module

// Counters are Stats at one moment. Those that count only grow; Instances and Memory are what there is now.
type Counters struct {
	Requests             int64 `json:"requests"`
	Failures             int64 `json:"failures"`
	Traps                int64 `json:"traps"`
	BreakerOpened        int64 `json:"breakerOpened"`
	BreakerRefused       int64 `json:"breakerRefused"`
	Instances            int64 `json:"instances"`
	InstancesMade        int64 `json:"instancesMade"`
	InstancesRecycled    int64 `json:"instancesRecycled"`
	Sleeps               int64 `json:"sleeps"` // times it was unloaded for want of requests
	Wakes                int64 `json:"wakes"`
	WakeNanoseconds      int64 `json:"wakeNanoseconds"`
	MemoryBytes          int64 `json:"memoryBytes"`
	MemoryPeakBytes      int64 `json:"memoryPeakBytes"` // of one instance
	HostCalls            int64 `json:"hostCalls"`
	GuestNanoseconds     int64 `json:"guestNanoseconds"` // CPU
	Fuel                 int64 `json:"fuel"`             // thousands of back-edges of loops
	LogLines             int64 `json:"logLines"`
	LogLinesDropped      int64 `json:"logLinesDropped"`
	RequestBytesRead     int64 `json:"requestBytesRead"`
	ResponseBytes        int64 `json:"responseBytes"`
	BackendBytesSent     int64 `json:"backendBytesSent"`
	BackendBytesReceived int64 `json:"backendBytesReceived"`

	Latency Latency `json:"-"`

	kinds   [trapKinds]int64
	calls   [callKinds]int64
	reached [limitCount]int64
}

// Load is the stats' values now.
func (s *Stats) Load() Counters {
	c := Counters{
		Requests: s.Requests.Load(), Failures: s.Failures.Load(), Traps: s.Traps.Load(), BreakerOpened: s.Opened.Load(),
		BreakerRefused: s.Shed.Load(), Instances: s.Instances.Load(), InstancesMade: s.Born.Load(), InstancesRecycled: s.Recycled.Load(),
		MemoryBytes: s.Memory.Load(), MemoryPeakBytes: s.Peak.Load(), HostCalls: s.HostCalls.Load(), GuestNanoseconds: s.GuestTime.Load(),
		Fuel: s.Fuel.Load(), LogLines: s.Logged.Load(), LogLinesDropped: s.Dropped.Load(), RequestBytesRead: s.Read.Load(),
		ResponseBytes: s.Written.Load(), BackendBytesSent: s.Sent.Load(), BackendBytesReceived: s.Received.Load(),
		Sleeps: s.Sleeps.Load(), Wakes: s.Wakes.Load(), WakeNanoseconds: s.WakeTime.Load(), Latency: s.Latency.load(),
	}
	for n := range s.kinds {
		c.kinds[n] = s.kinds[n].Load()
	}
	for n := range s.calls {
		c.calls[n] = s.calls[n].Load()
	}
	for n := range s.reached {
		c.reached[n] = s.reached[n].Load()
	}
	return c
}

// add adds other's values; of the peaks the higher one stays.
func (c *Counters) add(other *Counters) {
	for _, pair := range [][2]*int64{
		{&c.Requests, &other.Requests},
		{&c.Failures, &other.Failures},
		{&c.Traps, &other.Traps},
		{&c.BreakerOpened, &other.BreakerOpened},
		{&c.BreakerRefused, &other.BreakerRefused},
		{&c.Instances, &other.Instances},
		{&c.InstancesMade, &other.InstancesMade},
		{&c.Sleeps, &other.Sleeps},
		{&c.Wakes, &other.Wakes},
		{&c.WakeNanoseconds, &other.WakeNanoseconds},
		{&c.InstancesRecycled, &other.InstancesRecycled},
		{&c.MemoryBytes, &other.MemoryBytes},
		{&c.HostCalls, &other.HostCalls},
		{&c.GuestNanoseconds, &other.GuestNanoseconds},
		{&c.Fuel, &other.Fuel},
		{&c.LogLines, &other.LogLines},
		{&c.LogLinesDropped, &other.LogLinesDropped},
		{&c.RequestBytesRead, &other.RequestBytesRead},
		{&c.ResponseBytes, &other.ResponseBytes},
		{&c.BackendBytesSent, &other.BackendBytesSent},
		{&c.BackendBytesReceived, &other.BackendBytesReceived},
	} {
		*pair[0] += *pair[1]
	}
	c.MemoryPeakBytes = max(c.MemoryPeakBytes, other.MemoryPeakBytes)
	c.Latency.add(&other.Latency)
	for n := range c.kinds {
		c.kinds[n] += other.kinds[n]
	}
	for n := range c.calls {
		c.calls[n] += other.calls[n]
	}
	for n := range c.reached {
		c.reached[n] += other.reached[n]
	}
}

// TrapsByKind are Traps by the kind's name; all kinds.
func (c *Counters) TrapsByKind() map[string]int64 { return byName(trapNames[:], c.kinds[:]) }

// HostCallsByService are HostCalls by core, kube, prometheus, http, forward, query, access and accounts; all of them.
func (c *Counters) HostCallsByService() map[string]int64 { return byName(callNames[:], c.calls[:]) }

// LimitsReached is how often each limit was run into, by the limit's name; all of them.
func (c *Counters) LimitsReached() map[string]int64 {
	all := make(map[string]int64, limitCount)
	for n := range limitCount {
		all[n.String()] = c.reached[n]
	}
	return all
}

func byName(names []string, counts []int64) map[string]int64 {
	all := make(map[string]int64, len(names))
	for n, name := range names {
		all[name] = counts[n]
	}
	return all
}
