package config

import (
	"net/netip"
	"time"
)

// Postern holds the keys that are this program's own; everything else in
// kubesphere.yaml is KubeSphere's.
type Postern struct {
	Listen         Listen             `json:"listen" doc:"where requests come in"`
	Admin          Admin              `json:"admin" doc:"the admin listener: /livez /readyz /metrics"`
	Limits         Limits             `json:"limits" doc:"what one client, and all of them, may use"`
	DrainTimeout   time.Duration      `json:"drainTimeout" default:"30s" check:"nonnegative" doc:"how long requests may go on after SIGTERM"`
	Log            Log                `json:"log" doc:"log and access log"`
	Kube           Kube               `json:"kube" doc:"the way to kube-apiserver"`
	Modules        Modules            `json:"modules" doc:"WebAssembly modules"`
	Backends       map[string]Backend `json:"backends" doc:"HTTP services that modules may be granted, by name"`
	Filters        []Filter           `json:"filters" doc:"what looks at requests and answers on their way, in this order"`
	Authentication Authn              `json:"authentication" doc:"what section authentication has no keys for"`
	VisibleLists   string             `json:"visibleLists" default:"tenancy" enum:"off,tenancy,on" doc:"lists and watches of a kind as a whole answer those who may not have it with what they may see of it. tenancy: of namespaces and of what is labelled with a workspace, and of kinds that a role shows: verb use of visiblelists.postern.dev; on: of all kinds; off: they are refused"`
	Sessions       Sessions           `json:"sessions" doc:"ended sessions and failed logins; where they are shared is cache.type"`
	Namespace      string             `json:"namespace" default:"kubesphere-system" restart:"true" doc:"where Secrets of the gateway's own are: keys, the first administrator's password"`
	FirstAdmin     FirstAdmin         `json:"firstAdmin" doc:"who may do everything on a platform that has no user yet"`
	OAuth          OAuth              `json:"oauth" doc:"the OAuth server, beside authentication.oauthOptions"`
	Anonymous      Anonymous          `json:"anonymous" doc:"requests without credentials"`
	TrustedProxies []netip.Prefix     `json:"trustedProxies" doc:"networks whose X-Forwarded-For is believed, as 10.0.0.0/8"`
}

// Listen says where requests come in. At least one of the two addresses is set.
type Listen struct {
	Address string    `json:"address" default:":9090" check:"address" restart:"true" doc:"plain HTTP, host:port; empty: none (flags --bind-address, --insecure-port)"`
	TLS     ListenTLS `json:"tls" doc:"HTTPS"`
}

// ListenTLS is the HTTPS listener.
type ListenTLS struct {
	Address      string `json:"address" check:"address" restart:"true" doc:"HTTPS, host:port; empty: none (flag --secure-port)"`
	CertFile     string `json:"certFile" restart:"true" doc:"PEM chain; the file is read again when it changes (flag --tls-cert-file)"`
	KeyFile      string `json:"keyFile" restart:"true" doc:"PEM key (flag --tls-private-key)"`
	ClientCAFile string `json:"clientCAFile" restart:"true" doc:"PEM bundle; set: client certificates are asked for and verified"`
}

// Admin is the listener for operators. What changes something needs a token; the
// rest is open on loopback, which its default is, and needs the token elsewhere.
type Admin struct {
	Address   string `json:"address" default:"127.0.0.1:9091" check:"address" restart:"true" doc:"host:port; empty: none"`
	TokenFile string `json:"tokenFile" restart:"true" doc:"bearer token of operators, made if it is not there; empty: postern/admin.token in the user's state folder, or the modules' folder"`
}

// Limits bound what clients use. A long-running request is a watch, a log that
// is followed, or an upgraded connection (exec, attach, port-forward).
type Limits struct {
	HeaderBytes         Size          `json:"headerBytes" default:"16KiB" check:"positive" restart:"true" doc:"request line and headers; each connection has a buffer of this size"`
	BodyBytes           Size          `json:"bodyBytes" default:"0" check:"nonnegative" doc:"body of a proxied request; 0: no limit, it is streamed"`
	ModuleBodyBytes     Size          `json:"moduleBodyBytes" default:"8MiB" check:"positive" doc:"body of a request to a module"`
	HeaderReadTimeout   time.Duration `json:"headerReadTimeout" default:"10s" check:"positive" restart:"true" doc:"from a request's first byte to the end of its headers"`
	IdleTimeout         time.Duration `json:"idleTimeout" default:"2m0s" check:"positive" restart:"true" doc:"a connection between two requests"`
	MaxConnections      int           `json:"maxConnections" default:"20000" check:"positive" restart:"true" doc:"connections at once"`
	MaxConnectionsPerIP int           `json:"maxConnectionsPerIP" default:"0" check:"nonnegative" restart:"true" doc:"connections at once from one address; 0: no limit"`
	MaxRequestsInFlight int           `json:"maxRequestsInFlight" default:"5000" check:"positive" doc:"requests at once, long-running ones not counted; over it: 429"`
	MaxLongRunning      int           `json:"maxLongRunning" default:"20000" check:"positive" doc:"long-running requests at once; over it: 429"`
}

// Log configures the log and the access log.
type Log struct {
	Level          string `json:"level" default:"info" enum:"trace,debug,info,warn,error" doc:"least severe level that is written"`
	Format         string `json:"format" default:"json" enum:"json,console" restart:"true" doc:"one JSON object a line, or text for people"`
	Access         bool   `json:"access" default:"true" doc:"one line a request"`
	AccessSampling int    `json:"accessSampling" default:"1" check:"positive" doc:"one in this many 2xx answers is logged; others always"`
}

// Identities that Kube.Identity chooses from.
const (
	IdentityImpersonate = "impersonate"
	IdentityStrict      = "strict"
	IdentityPlain       = "plain"
)

// Kube is the way to kube-apiserver.
type Kube struct {
	Identity              string        `json:"identity" default:"impersonate" enum:"impersonate,strict,plain" doc:"impersonate: the user's name with decidedGroup; strict: name and real groups, Kubernetes decides again; plain: the gateway's own credential"`
	DecidedGroup          string        `json:"decidedGroup" default:"postern:decided" doc:"group sent when Postern has decided; bound to cluster-admin"`
	DialTimeout           time.Duration `json:"dialTimeout" default:"5s" check:"positive" doc:"TCP and TLS"`
	ResponseHeaderTimeout time.Duration `json:"responseHeaderTimeout" default:"1m15s" check:"positive" doc:"longer than kube-apiserver's own 60s, so that its answer is the one seen"`
	MaxIdleConnections    int           `json:"maxIdleConnections" default:"512" check:"positive" doc:"kept open between requests"`
	IdleTimeout           time.Duration `json:"idleTimeout" default:"1m30s" check:"positive" doc:"an unused connection is closed after this"`
}

// Backend is an HTTP service that modules may be granted.
type Backend struct {
	URL     string        `json:"url" check:"url" doc:"base URL, its path is kept"`
	Timeout time.Duration `json:"timeout" default:"30s" check:"positive" doc:"until the response's headers"`
	CAFile  string        `json:"caFile" doc:"PEM bundle instead of the system's"`
}

// FirstAdmin is made once, on a platform without any user, with the role platform-admin.
type FirstAdmin struct {
	Name string `json:"name" default:"admin" restart:"true" doc:"the user's name; empty: none is made"`
	From string `json:"from" default:"postern-admin" restart:"true" doc:"Secret in postern.namespace whose key password is the password; without it one is made and printed once"`
}

// Anonymous says what happens to requests without credentials.
type Anonymous struct {
	Allow bool `json:"allow" default:"true" doc:"they go on as system:anonymous, for RBAC to decide; false: 401"`
}
