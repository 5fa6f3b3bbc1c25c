package rig

import (
	"os"
	"runtime"
	"strings"
	"time"
)

// Machine is where and with what a report was made.
type Machine struct {
	CPU       string            `json:"cpu"`
	Cores     int               `json:"cores"`
	Kernel    string            `json:"kernel"`
	Go        string            `json:"go"`
	Versions  map[string]string `json:"versions"` // of programs of others
	Time      time.Time         `json:"time"`
	LoadStart string            `json:"loadStart"` // load average over 1, 5 and 15 minutes
	LoadEnd   string            `json:"loadEnd"`
}

// ReadMachine reads the facts of this machine; versions are of the programs of others that are used.
func ReadMachine(versions map[string]string) Machine {
	m := Machine{
		CPU: processor(), Cores: runtime.NumCPU(), Kernel: firstLine("/proc/sys/kernel/osrelease"), Go: runtime.Version(),
		Versions: versions, Time: time.Now().UTC().Truncate(time.Second), LoadStart: LoadAverage(),
	}
	return m
}

// processor is the name of the first processor.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // unknown is no reason to fail
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// LoadAverage is the number of processes that ran or waited, over 1, 5 and 15 minutes.
func LoadAverage() string {
	fields := strings.Fields(firstLine("/proc/loadavg"))
	return strings.Join(fields[:min(3, len(fields))], " ")
}

func firstLine(file string) string {
	text, _ := os.ReadFile(file)
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}
