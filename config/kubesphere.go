package config

import "time"

// Kubernetes says which kube-apiserver the gateway stands before.
type Kubernetes struct {
	Kubeconfig string  `json:"kubeconfig" restart:"true" doc:"path; not set: ~/.kube/config if it exists; empty: in-cluster"`
	Master     string  `json:"master" restart:"true" doc:"URL or host:port, wins over the kubeconfig's server"`
	QPS        float64 `json:"qps" default:"1e+06" check:"nonnegative" restart:"true" doc:"requests a second of our own client; the proxy is not limited by it"`
	Burst      int     `json:"burst" default:"1000000" check:"nonnegative" restart:"true" doc:"requests over qps at once"`
}

// Authorization chooses the authorizer.
type Authorization struct {
	Mode string `json:"mode" default:"RBAC" enum:"RBAC,AlwaysAllow,AlwaysDeny" doc:"RBAC over four scopes, or a constant for tests"`
}

// Multicluster describes this cluster's role among several.
type Multicluster struct {
	Enable                        bool          `json:"enable" default:"false" doc:"deprecated: set clusterRole"`
	ClusterRole                   string        `json:"clusterRole" enum:"host,member,none" doc:"this cluster's role"`
	ProxyPublishService           string        `json:"proxyPublishService" doc:"tower's service, as name.namespace.svc"`
	ProxyPublishAddress           string        `json:"proxyPublishAddress" doc:"tower's address as agents see it"`
	AgentImage                    string        `json:"agentImage" default:"kubesphere/tower:v1.0" doc:"image of the agent in member clusters"`
	ClusterControllerResyncPeriod time.Duration `json:"clusterControllerResyncPeriod" default:"2m0s" check:"nonnegative" doc:"how often each cluster is looked at again"`
	HostClusterName               string        `json:"hostClusterName" default:"host" doc:"the host cluster's name in /clusters/{name}"`
	ClusterName                   string        `json:"clusterName" doc:"this cluster's name"`
}

// Cache chooses where sessions are kept.
type Cache struct {
	Type    string         `json:"type" default:"InMemoryCache" enum:"InMemoryCache,redis" doc:"in memory (one replica) or redis (several)"`
	Options map[string]any `json:"options" doc:"of the chosen type; redis: host, port, password, db, username"`
}

// Monitoring says where metrics are read from.
type Monitoring struct {
	Endpoint string `json:"endpoint" check:"url" doc:"Prometheus' base URL; empty: the monitoring group answers 503"`
}

// Notification says where notifications are sent.
type Notification struct {
	Endpoint string `json:"endpoint" check:"url" doc:"notification-manager's base URL; empty: the group is not served"`
}

// Endpoint is a section that is one base URL.
type Endpoint struct {
	Endpoint string `json:"endpoint" check:"url" doc:"base URL, its path is kept; empty: the group is not served"`
}

// Gateway configures KubeSphere's ingress gateways.
type Gateway struct {
	WatchesPath string `json:"watchesPath" doc:"watches.yaml of the helm operator"`
	Namespace   string `json:"namespace" doc:"where gateways are installed"`
	Repository  string `json:"repository" doc:"image repository of the ingress controller"`
	Tag         string `json:"tag" doc:"image tag of the ingress controller"`
}

// Network configures policies, pools and topology.
type Network struct {
	EnableNetworkPolicy bool        `json:"enableNetworkPolicy" default:"false" doc:"isolate namespaces and workspaces"`
	NSNPOptions         NSNPOptions `json:"nsnpOptions" doc:"namespace network policies"`
	WeaveScopeHost      string      `json:"weaveScopeHost" doc:"Weave Scope, for topology"`
	IPPoolType          string      `json:"ippoolType" default:"none" enum:"none,local,calico" doc:"who hands out pod addresses"`
}

// NSNPOptions are the options of namespace network policies.
type NSNPOptions struct {
	AllowedIngressNamespaces []string `json:"allowedIngressNamespaces" doc:"namespaces that may always reach in"`
}

// GPU lists the kinds of GPU.
type GPU struct {
	Kinds []GPUKind `json:"kinds" doc:"offered in this order"`
}

// GPUKind is one kind of GPU.
type GPUKind struct {
	ResourceName string `json:"resourceName" doc:"extended resource, as nvidia.com/gpu"`
	ResourceType string `json:"resourceType" doc:"as GPU"`
	Default      bool   `json:"default" default:"false" doc:"preselected"`
}

// Metering configures consumption reports.
type Metering struct {
	RetentionDay string  `json:"retentionDay" doc:"how far back, as 7d; empty: 7d"`
	Billing      Billing `json:"billing" doc:"prices"`
}

// Billing holds the prices.
type Billing struct {
	PriceInfo PriceInfo `json:"priceInfo" doc:"price of each unit; 0: free"`
}

// PriceInfo is what one unit costs, in CurrencyUnit.
type PriceInfo struct {
	CPUPerCorePerHour                        float64 `json:"cpuPerCorePerHour" default:"0" check:"nonnegative" doc:"one core for an hour"`
	MemPerGigabytesPerHour                   float64 `json:"memPerGigabytesPerHour" default:"0" check:"nonnegative" doc:"one GB of memory for an hour"`
	IngressNetworkTrafficPerMegabytesPerHour float64 `json:"ingressNetworkTrafficPerMegabytesPerHour" default:"0" check:"nonnegative" doc:"one MB received"`
	EgressNetworkTrafficPerMegabytesPerHour  float64 `json:"egressNetworkTrafficPerMegabytesPerHour" default:"0" check:"nonnegative" doc:"one MB sent"`
	PVCPerGigabytesPerHour                   float64 `json:"pvcPerGigabytesPerHour" default:"0" check:"nonnegative" doc:"one GB of volume for an hour"`
	CurrencyUnit                             string  `json:"currencyUnit" doc:"as CNY"`
}

// Terminal configures node shells.
type Terminal struct {
	Image   string `json:"image" default:"alpine:3.15" doc:"image of a node shell's pod"`
	Timeout int    `json:"timeout" default:"600" check:"positive" doc:"seconds that a node shell's pod lives"`
}
