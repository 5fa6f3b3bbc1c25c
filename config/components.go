package config

import "time"

// OpenPitrix configures the application store.
type OpenPitrix struct {
	S3                       S3                       `json:"s3" doc:"where packages are kept"`
	ReleaseControllerOptions ReleaseControllerOptions `json:"releaseControllerOptions" doc:"helm releases"`
}

// ReleaseControllerOptions are the helm release controller's options.
type ReleaseControllerOptions struct {
	MaxConcurrent int           `json:"maxConcurrent" default:"10" check:"positive" doc:"releases worked on at once"`
	WaitTime      time.Duration `json:"waitTime" default:"30s" check:"nonnegative" doc:"how long a release is waited for"`
}

// S3 is an object store. Upstream's default credentials are the example of
// AWS' documentation; ours are empty, since a default credential helps nobody.
type S3 struct {
	Endpoint        string `json:"endpoint" doc:"base URL; empty: off"`
	Region          string `json:"region" default:"us-east-1" doc:"region"`
	DisableSSL      bool   `json:"disableSSL" default:"true" doc:"plain HTTP when the endpoint has no scheme"`
	ForcePathStyle  bool   `json:"forcePathStyle" default:"true" doc:"bucket in the path, as MinIO wants"`
	AccessKeyID     string `json:"accessKeyID" secret:"true" doc:"credential"`
	SecretAccessKey string `json:"secretAccessKey" secret:"true" doc:"credential"`
	SessionToken    string `json:"sessionToken" secret:"true" doc:"credential, short-lived"`
	Bucket          string `json:"bucket" default:"s2i-binaries" doc:"bucket"`
}

// DevOps is Jenkins.
type DevOps struct {
	Host           string `json:"host" doc:"Jenkins' base URL; empty: off"`
	Username       string `json:"username" doc:"Jenkins user"`
	Password       string `json:"password" secret:"true" doc:"its password or API token"`
	MaxConnections int    `json:"maxConnections" default:"100" check:"positive" doc:"connections to Jenkins"`
	Endpoint       string `json:"endpoint" doc:"ks-devops' base URL"`
}

// SonarQube is the code checker of DevOps projects.
type SonarQube struct {
	Host  string `json:"host" doc:"base URL; empty: off"`
	Token string `json:"token" secret:"true" doc:"API token"`
}

// ServiceMesh names the parts of the service mesh.
type ServiceMesh struct {
	IstioPilotHost            string `json:"istioPilotHost" doc:"Istio pilot's base URL"`
	JaegerQueryHost           string `json:"jaegerQueryHost" doc:"Jaeger query's base URL"`
	KialiQueryHost            string `json:"kialiQueryHost" doc:"Kiali's base URL"`
	ServicemeshPrometheusHost string `json:"servicemeshPrometheusHost" doc:"base URL of the mesh's Prometheus"`
}

// LDAP is read and kept for old files; nothing uses it.
type LDAP struct {
	Host            string `json:"host" doc:"host:port"`
	ManagerDN       string `json:"managerDN" doc:"bind name"`
	ManagerPassword string `json:"managerPassword" secret:"true" doc:"bind password"`
	UserSearchBase  string `json:"userSearchBase" doc:"where users are"`
	GroupSearchBase string `json:"groupSearchBase" doc:"where groups are"`
	InitialCap      int    `json:"initialCap" default:"10" check:"nonnegative" doc:"connections at the start"`
	MaxCap          int    `json:"maxCap" default:"100" check:"nonnegative" doc:"connections at most"`
	PoolName        string `json:"poolName" default:"ldap" doc:"name of the pool"`
}
