package config

import "time"

// Modules says where modules are and what they may do.
type Modules struct {
	Dir          string            `json:"dir" default:"./modules" restart:"true" doc:"folder of .wasm files, watched"`
	CacheDir     string            `json:"cacheDir" restart:"true" doc:"compiled modules; empty: postern/wasm in the user's cache folder"`
	ScanInterval time.Duration     `json:"scanInterval" default:"1s" check:"positive" restart:"true" doc:"how often the folder is looked at, events aside"`
	Defaults     ModuleLimits      `json:"defaults" doc:"limits of each module"`
	PerModule    map[string]Module `json:"perModule" doc:"by module name"`
}

// ModuleLimits bound one module; its instances share them.
type ModuleLimits struct {
	Memory            Size          `json:"memory" default:"128MiB" check:"positive" doc:"linear memory of one instance"`
	Deadline          time.Duration `json:"deadline" default:"30s" check:"positive" doc:"one request, waiting included; streams not counted"`
	CPUPerCall        time.Duration `json:"cpuPerCall" default:"1s" check:"positive" doc:"CPU of one entry into the module; over it the instance is thrown away"`
	RequestsInFlight  int           `json:"requestsInFlight" default:"1000" check:"positive" doc:"requests at once"`
	Queue             int           `json:"queue" default:"1000" check:"nonnegative" doc:"requests that wait for their turn; over it: 503"`
	QueueWait         time.Duration `json:"queueWait" default:"5s" check:"nonnegative" doc:"longest wait for a turn"`
	HostCalls         int           `json:"hostCalls" default:"4096" check:"positive" doc:"host calls in flight at once"`
	HandleBytes       Size          `json:"handleBytes" default:"64MiB" check:"positive" doc:"data held on the host for one request"`
	ResponseBytes     Size          `json:"responseBytes" default:"64MiB" check:"positive" doc:"one response; backend streams are not counted"`
	LogLinesPerSecond int           `json:"logLinesPerSecond" default:"100" check:"positive" doc:"over it lines are counted and dropped"`
	Shards            int           `json:"shards" default:"0" check:"nonnegative" doc:"instances; 0: a quarter of the cores, at least one"`
}

// Module is what one module may do.
type Module struct {
	Limits   ModuleLimits   `json:"limits" doc:"what is not set here is taken from modules.defaults"`
	Grants   Grants         `json:"grants" doc:"what the module may reach as itself; an entry replaces the grants that come with a module of ours"`
	Settings map[string]any `json:"settings" doc:"handed to the module as JSON"`
}

// Grants is what a module may reach. What is not granted is not linked.
type Grants struct {
	Kube       []KubeGrant `json:"kube" doc:"Kubernetes resources, as in RBAC rules"`
	Prometheus bool        `json:"prometheus" default:"false" doc:"queries to monitoring.endpoint"`
	HTTP       []string    `json:"http" doc:"names of backends: of postern.backends, or kubeedge, edgeruntime, notification for those sections' endpoints"`
	Hosts      []string    `json:"hosts" doc:"names outside that may be called over HTTPS: api.example.com, *.example.com"`
	// PrivateHosts is for hosts inside: their addresses would be refused.
	PrivateHosts bool `json:"privateHosts" default:"false" doc:"hosts may have private addresses, and plain HTTP"`
}

// KubeGrant is one rule, read as in RBAC: * is any.
type KubeGrant struct {
	Groups     []string `json:"groups" doc:"API groups; the core group is empty"`
	Resources  []string `json:"resources" doc:"as pods, pods/log"`
	Verbs      []string `json:"verbs" doc:"as get, list, watch"`
	Namespaces []string `json:"namespaces" doc:"empty: all, and cluster-scoped"`
}
