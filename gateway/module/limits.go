package module

import (
	"encoding/json"
	"time"

	"github.com/posternhq/postern/gateway/module/service"
)

// Limits bound one module. Every field has a default; see DefaultLimits.
type Limits struct {
	Memory            int64         // linear memory of one instance, bytes
	Deadline          time.Duration // of a request, from its arrival until its answer's head
	CPUPerCall        time.Duration // of one entry into the guest; beyond it the instance is thrown away
	RequestsInFlight  int           // per module; more wait
	Queue             int           // requests waiting; more are refused with 503
	QueueWait         time.Duration // longest wait; then 503
	HostCalls         int           // under way per module; more are Busy
	HandleBytes       int64         // held by handles, per request
	ResponseBytes     int64         // of an answer's body
	RequestBytes      int64         // of a request's body that the guest reads
	LogLinesPerSecond int           // of the guest's own log lines
	Shards            int           // instances that share an asynchronous module's requests
}

// DefaultLimits suit a handler that asks a few backends and answers some hundred KiB.
func DefaultLimits() Limits {
	return Limits{
		Memory: 128 << 20, Deadline: 30 * time.Second, CPUPerCall: time.Second, RequestsInFlight: 1000, Queue: 1000,
		QueueWait: 5 * time.Second, HostCalls: 4096, HandleBytes: 64 << 20, ResponseBytes: 64 << 20, RequestBytes: 8 << 20,
		LogLinesPerSecond: 100, Shards: 1,
	}
}

// Policy is the operator's word on one module: its limits, grants and settings.
type Policy struct {
	Limits   Limits
	Grants   service.Grants
	Settings json.RawMessage // handed to the guest as they are; nil is {}
}
