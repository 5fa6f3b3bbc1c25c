package manifest

import (
	"fmt"
	"time"

	"github.com/posternhq/postern/config"
)

// Limits are what the module asks for itself; 0 is what every module gets. It may ask for less than that, and for more as far as the
// configuration lets it (postern.modules.ceiling). What the configuration says of the module by name wins.
type Limits struct {
	Memory              config.Size `yaml:"memory" json:"memory,omitzero"`
	Deadline            Duration    `yaml:"deadline" json:"deadline,omitzero"`
	CPUPerCall          Duration    `yaml:"cpuPerCall" json:"cpuPerCall,omitzero"`
	RequestsInFlight    int         `yaml:"requestsInFlight" json:"requestsInFlight,omitzero"`
	Queue               int         `yaml:"queue" json:"queue,omitzero"`
	QueueWait           Duration    `yaml:"queueWait" json:"queueWait,omitzero"`
	HostCalls           int         `yaml:"hostCalls" json:"hostCalls,omitzero"`
	HostCallsPerRequest int         `yaml:"hostCallsPerRequest" json:"hostCallsPerRequest,omitzero"`
	HandleBytes         config.Size `yaml:"handleBytes" json:"handleBytes,omitzero"`
	RequestBytes        config.Size `yaml:"requestBytes" json:"requestBytes,omitzero"`
	ResponseBytes       config.Size `yaml:"responseBytes" json:"responseBytes,omitzero"`
	SendBytes           config.Size `yaml:"sendBytes" json:"sendBytes,omitzero"`
	LogLinesPerSecond   int         `yaml:"logLinesPerSecond" json:"logLinesPerSecond,omitzero"`
}

// validate refuses what cannot be meant.
func (l *Limits) validate() error {
	for name, n := range map[string]int64{
		"memory": int64(l.Memory), "deadline": int64(l.Deadline), "cpuPerCall": int64(l.CPUPerCall),
		"requestsInFlight": int64(l.RequestsInFlight), "queue": int64(l.Queue), "queueWait": int64(l.QueueWait),
		"hostCalls": int64(l.HostCalls), "hostCallsPerRequest": int64(l.HostCallsPerRequest), "handleBytes": int64(l.HandleBytes),
		"requestBytes": int64(l.RequestBytes), "responseBytes": int64(l.ResponseBytes), "sendBytes": int64(l.SendBytes),
		"logLinesPerSecond": int64(l.LogLinesPerSecond),
	} {
		if n < 0 {
			return fmt.Errorf("manifest: limits.%s is negative", name)
		}
	}
	return nil
}

// Duration is a time.Duration that is written as in Go: 1m30s.
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration does.
func (d *Duration) UnmarshalText(text []byte) error {
	n, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("cannot parse %q as duration (for example 500ms, 30s)", text)
	}
	*d = Duration(n)
	return nil
}

// MarshalText is the other way of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }
