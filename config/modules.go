package config

import (
	"fmt"
	"reflect"
	"time"
)

// Modules says where modules are and what they may do.
type Modules struct {
	Dir          string            `json:"dir" default:"./modules" restart:"true" doc:"folder of .wasm files, watched"`
	CacheDir     string            `json:"cacheDir" restart:"true" doc:"compiled modules; empty: postern/wasm in the user's cache folder"`
	CacheSize    Size              `json:"cacheSize" default:"1GiB" check:"positive" restart:"true" doc:"of cacheDir; what was used least recently goes"`
	IdleUnload   time.Duration     `json:"idleUnload" default:"10m" check:"nonnegative" doc:"a module that nobody asks for so long gives its instances and code back until the next request, what it had in memory with them; 0: never"`
	HistoryDir   string            `json:"historyDir" restart:"true" doc:"modules that have served, to go back to, 5 versions of each; empty: .postern in dir"`
	ScanInterval time.Duration     `json:"scanInterval" default:"1s" check:"positive" restart:"true" doc:"how often the folder is looked at, events aside"`
	Defaults     ModuleLimits      `json:"defaults" doc:"limits of each module"`
	Ceiling      ModuleCeiling     `json:"ceiling" doc:"how far a module's own manifest may raise its limits; 0: not above modules.defaults"`
	PerModule    map[string]Module `json:"perModule" doc:"by module name"`

	RequireSignedBy []string `json:"requireSignedBy" doc:"files of public keys (PEM), read with the configuration; each module must be signed by a key of each file"`

	Pull        []string `json:"pull" doc:"references to serve beside the folder's files: oci://HOST/REPOSITORY:TAG, …@sha256:DIGEST, oci-layout://PATH:TAG; pulled at start and reload"`
	Lock        string   `json:"lock" doc:"lock file that says which artifact each reference is; empty: modules.lock in dir"`
	ArtifactDir string   `json:"artifactDir" restart:"true" doc:"what was pulled, at most 512 MiB; empty: postern/artifacts in the user's cache folder"`
	Registry    Registry `json:"registry" doc:"how registries are reached"`

	Resources ModuleResources `json:"resources" doc:"Module resources of Kubernetes, which every replica follows"`
}

// ModuleResources says how Module resources are followed.
type ModuleResources struct {
	Enabled bool   `json:"enabled" default:"true" restart:"true" doc:"follow them, where the cluster has the kind (postern crds install)"`
	Replica string `json:"replica" restart:"true" doc:"this gateway's name in their status; empty: POD_NAME, or the host's name"`
}

// Registry says how OCI registries are reached.
type Registry struct {
	Config    string `json:"config" doc:"docker config.json with credentials, as of a kubernetes.io/dockerconfigjson secret; empty: docker's own"`
	CAFile    string `json:"caFile" doc:"PEM file of authorities to trust beside the system's"`
	PlainHTTP bool   `json:"plainHTTP" default:"false" doc:"speak HTTP without TLS; loopback addresses are always spoken to like that"`
}

// ModuleLimits bound one module; its instances share them.
type ModuleLimits struct {
	Memory              Size          `json:"memory" default:"128MiB" check:"positive" doc:"linear memory of one instance"`
	Deadline            time.Duration `json:"deadline" default:"30s" check:"positive" doc:"one request, waiting included; streams not counted"`
	CPUPerCall          time.Duration `json:"cpuPerCall" default:"1s" check:"positive" doc:"CPU of one entry into the module; over it the instance is thrown away"`
	RequestsInFlight    int           `json:"requestsInFlight" default:"1000" check:"positive" doc:"requests at once"`
	Queue               int           `json:"queue" default:"1000" check:"nonnegative" doc:"requests that wait for their turn; over it: 503"`
	QueueWait           time.Duration `json:"queueWait" default:"5s" check:"nonnegative" doc:"longest wait for a turn"`
	HostCalls           int           `json:"hostCalls" default:"4096" check:"positive" doc:"host calls in flight at once"`
	HostCallsPerRequest int           `json:"hostCallsPerRequest" default:"10000" check:"positive" doc:"host calls of one request, in all"`
	HandleBytes         Size          `json:"handleBytes" default:"64MiB" check:"positive" doc:"data held on the host for one request, what backends answer above all"`
	RequestBytes        Size          `json:"requestBytes" default:"0" check:"nonnegative" doc:"body of one request that the module reads; 0: postern.limits.moduleBodyBytes"`
	ResponseBytes       Size          `json:"responseBytes" default:"64MiB" check:"positive" doc:"one response; backend streams are not counted"`
	SendBytes           Size          `json:"sendBytes" default:"64MiB" check:"positive" doc:"what one request's host calls send, in all; forwarded bodies are not counted"`
	LogLinesPerSecond   int           `json:"logLinesPerSecond" default:"100" check:"positive" doc:"over it lines are counted and dropped"`
	Shards              int           `json:"shards" default:"0" check:"nonnegative" doc:"instances; 0: a quarter of the cores, at least one"`
	Breaker             Breaker       `json:"breaker" doc:"stops asking a module that keeps failing"`
}

// Breaker says when a module that keeps failing is left alone, and for how long.
type Breaker struct {
	Traps    int           `json:"traps" default:"5" check:"nonnegative" doc:"instances lost within the window that open it; 0: never"`
	Window   time.Duration `json:"window" default:"10s" check:"positive" doc:"see traps"`
	Pause    time.Duration `json:"pause" default:"1s" check:"positive" doc:"until one request is let through as a probe; doubled each time that fails"`
	MaxPause time.Duration `json:"maxPause" default:"1m" check:"positive" doc:"longest pause"`
}

// ModuleCeiling is how far manifests may raise the limits of the same names.
type ModuleCeiling struct {
	Memory              Size          `json:"memory" default:"0" check:"nonnegative" doc:"see modules.defaults"`
	Deadline            time.Duration `json:"deadline" default:"0" check:"nonnegative" doc:"see modules.defaults"`
	CPUPerCall          time.Duration `json:"cpuPerCall" default:"0" check:"nonnegative" doc:"see modules.defaults"`
	RequestsInFlight    int           `json:"requestsInFlight" default:"0" check:"nonnegative" doc:"see modules.defaults"`
	Queue               int           `json:"queue" default:"0" check:"nonnegative" doc:"see modules.defaults"`
	QueueWait           time.Duration `json:"queueWait" default:"0" check:"nonnegative" doc:"see modules.defaults"`
	HostCalls           int           `json:"hostCalls" default:"0" check:"nonnegative" doc:"see modules.defaults"`
	HostCallsPerRequest int           `json:"hostCallsPerRequest" default:"0" check:"nonnegative" doc:"see modules.defaults"`
	HandleBytes         Size          `json:"handleBytes" default:"0" check:"nonnegative" doc:"see modules.defaults"`
	RequestBytes        Size          `json:"requestBytes" default:"0" check:"nonnegative" doc:"see modules.defaults"`
	ResponseBytes       Size          `json:"responseBytes" default:"0" check:"nonnegative" doc:"see modules.defaults"`
	SendBytes           Size          `json:"sendBytes" default:"0" check:"nonnegative" doc:"see modules.defaults"`
	LogLinesPerSecond   int           `json:"logLinesPerSecond" default:"0" check:"nonnegative" doc:"see modules.defaults"`
}

// Module is what one module may do.
type Module struct {
	Limits   ModuleLimits   `json:"limits" doc:"what is not set here is taken from modules.defaults"`
	Grants   Grants         `json:"grants" doc:"what the module may reach as itself; where they are given, they replace those that come with a module of ours"`
	Settings map[string]any `json:"settings" doc:"handed to the module as JSON"`
	Rollout  Rollout        `json:"rollout" doc:"how a new version takes over; without weight and header: at once"`

	IdleUnload *time.Duration `json:"idleUnload" doc:"in place of modules.idleUnload for this module"`
	Pinned     bool           `json:"pinned" default:"false" doc:"is never unloaded: for a module that keeps something in memory"`

	RequireSignedBy []string `json:"requireSignedBy" doc:"in place of modules.requireSignedBy for this module; empty: as that says"`

	// LimitsSet are the keys of limits that are set here and not taken from modules.defaults: the module's manifest cannot change them.
	LimitsSet []string `json:"-"`
	// GrantsSet says whether grants are set here: they replace those that come with a module of ours.
	GrantsSet bool `json:"-"`
}

// Rollout has a new version of a module tried on a share of the requests before it takes over. Both versions are watched; the
// new one is promoted, or taken back, by what they answer.
type Rollout struct {
	Weight          int           `json:"weight" default:"0" check:"nonnegative" doc:"percent of the requests that the new version gets"`
	Sticky          bool          `json:"sticky" default:"false" doc:"percent of the users, each of whom always gets the same version"`
	Header          RolloutHeader `json:"header" doc:"requests with this header get the new version, whatever weight is"`
	MinRequests     int           `json:"minRequests" default:"100" check:"positive" doc:"that the new version has answered before it is promoted, or judged by its latency"`
	PromoteAfter    time.Duration `json:"promoteAfter" default:"5m0s" check:"nonnegative" doc:"least time that it is tried"`
	Manual          bool          `json:"manual" default:"false" doc:"it is promoted by an operator alone; still taken back by the rule"`
	MaxErrorRate    float64       `json:"maxErrorRate" default:"0.01" check:"nonnegative" doc:"by how much its share of 5xx answers may be above the other's"`
	MaxLatencyRatio float64       `json:"maxLatencyRatio" default:"2" check:"nonnegative" doc:"its p90 and p99, as multiples of the other's; 0: not judged"`
}

// DefaultRollout is a rollout of which nothing is said.
func DefaultRollout() (r Rollout) {
	setDefaults(reflect.ValueOf(&r).Elem())
	return r
}

// RolloutHeader names requests by a header.
type RolloutHeader struct {
	Name  string `json:"name" doc:"empty: none"`
	Value string `json:"value" doc:"the whole value"`
}

// On says whether anything is to be tried at all.
func (r *Rollout) On() bool { return r.Weight > 0 || r.Header.Name != "" }

// rolloutConflicts finds shares that are none.
func (c *Config) rolloutConflicts(fail func(key, message string)) {
	for _, name := range sortedNames(c.Postern.Modules.PerModule) {
		r := c.Postern.Modules.PerModule[name].Rollout
		key := path{"postern", "modules", "perModule", name, "rollout"}
		if r.Weight > 100 {
			fail(key.with("weight").String(), fmt.Sprintf("%d percent are more than all", r.Weight))
		}
		if r.MaxErrorRate > 1 {
			fail(key.with("maxErrorRate").String(), fmt.Sprintf("a share of %v is more than all: 0.01 is one in a hundred", r.MaxErrorRate))
		}
	}
}

// Grants is what a module may reach. What is not granted is not linked.
type Grants struct {
	Kube       []KubeGrant `json:"kube" doc:"Kubernetes resources, as in RBAC rules"`
	Prometheus bool        `json:"prometheus" default:"false" doc:"queries to monitoring.endpoint"`
	HTTP       []string    `json:"http" doc:"names of backends: of postern.backends, or kubeedge, edgeruntime, notification for those sections' endpoints"`
	Hosts      []string    `json:"hosts" doc:"names outside that may be called over HTTPS: api.example.com, *.example.com"`
	Access     bool        `json:"access" default:"false" doc:"questions about what users may do"`
	Accounts   bool        `json:"accounts" default:"false" doc:"checking and hashing passwords, ending sessions"`
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
