package module

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/gateway/module/signature"
)

// Limits bound one module. Every field has a default; see DefaultLimits.
type Limits struct {
	Memory              int64         // linear memory of one instance, bytes
	Deadline            time.Duration // of a request, from its arrival until its answer's head
	CPUPerCall          time.Duration // of one entry into the guest; beyond it the instance is thrown away
	RequestsInFlight    int           // per module; more wait
	Queue               int           // requests waiting; more are refused with 503
	QueueWait           time.Duration // longest wait; then 503
	HostCalls           int           // under way per module; more are Busy
	HostCallsPerRequest int           // in all; more are TooLarge
	HandleBytes         int64         // held by handles, per request; what backends answer is held by one
	RequestBytes        int64         // of a request's body that the guest reads
	ResponseBytes       int64         // of an answer's body
	SendBytes           int64         // of the records and bodies of a request's host calls, in all
	LogLinesPerSecond   int           // of the guest's own log lines
	Shards              int           // instances that share an asynchronous module's requests
	Breaker             BreakerLimits // when a module that keeps failing is left alone
	IdleUnload          time.Duration // without a request, until instances and machine code are given back; 0: never
}

// DefaultLimits suit a handler that asks a few backends and answers some hundred KiB.
func DefaultLimits() Limits {
	return Limits{
		Memory: 128 << 20, Deadline: 30 * time.Second, CPUPerCall: time.Second, RequestsInFlight: 1000, Queue: 1000,
		QueueWait: 5 * time.Second, HostCalls: 4096, HostCallsPerRequest: 10_000, HandleBytes: 64 << 20, RequestBytes: 8 << 20,
		ResponseBytes: 64 << 20, SendBytes: 64 << 20, LogLinesPerSecond: 100, Shards: 1, IdleUnload: 10 * time.Minute,
		Breaker: BreakerLimits{Traps: 5, Window: 10 * time.Second, Pause: time.Second, MaxPause: time.Minute},
	}
}

// Policy is the operator's word on one module: its limits, grants and settings.
type Policy struct {
	Limits Limits
	// Fixed are the names of limits that the operator gave this module; its manifest has no say in them.
	Fixed []string
	// Ceiling is how far the manifest may raise the others; a field of 0, or below that of Limits: not at all.
	Ceiling  Limits
	Grants   service.Grants
	Settings json.RawMessage // handed to the guest as they are; nil is {}
	// SignedBy are those who all must have signed the module's file for it to be loaded. None: anybody's is.
	SignedBy []signature.Signer
}

// Limit is one of the limits that a request or an instance can run into.
type Limit int

// The limits, in the order of Limits' fields.
const (
	LimitMemory Limit = iota
	LimitDeadline
	LimitCPUPerCall
	LimitRequestsInFlight
	LimitQueue
	LimitQueueWait
	LimitHostCalls
	LimitHostCallsPerRequest
	LimitHandleBytes
	LimitRequestBytes
	LimitResponseBytes
	LimitSendBytes
	LimitLogLinesPerSecond
	limitCount
)

// Units of limits; others are counts.
const (
	bytesUnit = "bytes"
	seconds   = "seconds"
)

// limitTable has each limit's name, which is its key in configuration, manifest and metrics, and where its value is.
var limitTable = [limitCount]struct {
	name string
	unit string
	wish func(*manifest.Limits) int64
	get  func(*Limits) int64
	set  func(*Limits, int64)
}{
	{
		"memory", bytesUnit, func(m *manifest.Limits) int64 { return int64(m.Memory) },
		func(l *Limits) int64 { return l.Memory }, func(l *Limits, n int64) { l.Memory = n },
	},
	{
		"deadline", seconds, func(m *manifest.Limits) int64 { return int64(m.Deadline) },
		func(l *Limits) int64 { return int64(l.Deadline) }, func(l *Limits, n int64) { l.Deadline = time.Duration(n) },
	},
	{
		"cpuPerCall", seconds, func(m *manifest.Limits) int64 { return int64(m.CPUPerCall) },
		func(l *Limits) int64 { return int64(l.CPUPerCall) }, func(l *Limits, n int64) { l.CPUPerCall = time.Duration(n) },
	},
	{
		"requestsInFlight", "", func(m *manifest.Limits) int64 { return int64(m.RequestsInFlight) },
		func(l *Limits) int64 { return int64(l.RequestsInFlight) }, func(l *Limits, n int64) { l.RequestsInFlight = int(n) },
	},
	{
		"queue", "", func(m *manifest.Limits) int64 { return int64(m.Queue) },
		func(l *Limits) int64 { return int64(l.Queue) }, func(l *Limits, n int64) { l.Queue = int(n) },
	},
	{
		"queueWait", seconds, func(m *manifest.Limits) int64 { return int64(m.QueueWait) },
		func(l *Limits) int64 { return int64(l.QueueWait) }, func(l *Limits, n int64) { l.QueueWait = time.Duration(n) },
	},
	{
		"hostCalls", "", func(m *manifest.Limits) int64 { return int64(m.HostCalls) },
		func(l *Limits) int64 { return int64(l.HostCalls) }, func(l *Limits, n int64) { l.HostCalls = int(n) },
	},
	{
		"hostCallsPerRequest", "", func(m *manifest.Limits) int64 { return int64(m.HostCallsPerRequest) },
		func(l *Limits) int64 { return int64(l.HostCallsPerRequest) }, func(l *Limits, n int64) { l.HostCallsPerRequest = int(n) },
	},
	{
		"handleBytes", bytesUnit, func(m *manifest.Limits) int64 { return int64(m.HandleBytes) },
		func(l *Limits) int64 { return l.HandleBytes }, func(l *Limits, n int64) { l.HandleBytes = n },
	},
	{
		"requestBytes", bytesUnit, func(m *manifest.Limits) int64 { return int64(m.RequestBytes) },
		func(l *Limits) int64 { return l.RequestBytes }, func(l *Limits, n int64) { l.RequestBytes = n },
	},
	{
		"responseBytes", bytesUnit, func(m *manifest.Limits) int64 { return int64(m.ResponseBytes) },
		func(l *Limits) int64 { return l.ResponseBytes }, func(l *Limits, n int64) { l.ResponseBytes = n },
	},
	{
		"sendBytes", bytesUnit, func(m *manifest.Limits) int64 { return int64(m.SendBytes) },
		func(l *Limits) int64 { return l.SendBytes }, func(l *Limits, n int64) { l.SendBytes = n },
	},
	{
		"logLinesPerSecond", "", func(m *manifest.Limits) int64 { return int64(m.LogLinesPerSecond) },
		func(l *Limits) int64 { return int64(l.LogLinesPerSecond) }, func(l *Limits, n int64) { l.LogLinesPerSecond = int(n) },
	},
}

// String is the limit's name: its key in configuration and manifest, its label in metrics.
func (n Limit) String() string { return limitTable[n].name }

// Fix is the policy with limits that the operator gives this module: what is not 0 of them counts, whatever else is said.
func (p Policy) Fix(limits *manifest.Limits) Policy {
	p.Fixed = slices.Clone(p.Fixed)
	for _, l := range limitTable {
		if n := l.wish(limits); n != 0 {
			l.set(&p.Limits, n)
			p.Fixed = append(p.Fixed, l.name)
		}
	}
	return p
}

// settle makes a module's limits of the operator's word and the module's wishes. short names the wishes that were not met.
func (p *Policy) settle(wishes *manifest.Limits) (settled Limits, short []string) {
	settled = p.Limits
	for _, l := range limitTable {
		wish, base := l.wish(wishes), l.get(&p.Limits)
		if wish == 0 {
			continue
		}
		most := max(base, l.get(&p.Ceiling))
		if slices.Contains(p.Fixed, l.name) {
			wish, most = max(wish, base), base
		}
		if wish > most {
			short = append(short, fmt.Sprintf("%s %d, not %d", l.name, most, wish))
		}
		l.set(&settled, min(wish, most))
	}
	return settled, short
}
