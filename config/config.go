package config

// Config is everything that kubesphere.yaml, the environment and the flags
// say. One Config is one snapshot: nobody writes to it once Load returned it,
// so it is shared between goroutines without a lock.
//
// Struct tags carry what the code needs to know of a key, once:
//
//	json     the key, matched without regard to case
//	default  the value when nothing sets the key, written as in YAML
//	doc      one line for `config print --defaults` and the JSON Schema
//	enum     the allowed words, separated by commas; also empty if there is no default
//	check    url, address, positive, nonnegative (see validate.go)
//	secret   "true": never printed
//	restart  "true": a change takes effect at the next start only
//
// Durations are Go durations (10m0s), sizes are binary (32KiB, 8MiB).
type Config struct {
	Kubernetes     Kubernetes     `json:"kubernetes" doc:"the host cluster's kube-apiserver"`
	Authentication Authentication `json:"authentication" doc:"who asks"`
	Authorization  Authorization  `json:"authorization" doc:"may they"`
	Multicluster   Multicluster   `json:"multicluster" doc:"member clusters"`
	Cache          Cache          `json:"cache" doc:"where sessions are kept"`
	Monitoring     Monitoring     `json:"monitoring" doc:"Prometheus, or what speaks its API"`
	Notification   Notification   `json:"notification" doc:"notification-manager"`
	KubeEdge       Endpoint       `json:"kubeedge" doc:"edge-watcher"`
	EdgeRuntime    Endpoint       `json:"edgeruntime" doc:"edge-watcher of KubeSphere 3.4"`
	Gateway        Gateway        `json:"gateway" doc:"KubeSphere's ingress gateways (not this program: that is postern)"`
	Network        Network        `json:"network" doc:"network policies, IP pools, topology"`
	GPU            GPU            `json:"gpu" doc:"kinds of GPU that users may ask for"`
	Logging        Logging        `json:"logging" doc:"the store that logs are queried from"`
	Events         Events         `json:"events" doc:"the store that events are queried from"`
	Auditing       Auditing       `json:"auditing" doc:"audit events: where they go, where they are queried from"`
	Alerting       Alerting       `json:"alerting" doc:"alert rules"`
	Metering       Metering       `json:"metering" doc:"consumption and prices"`
	OpenPitrix     OpenPitrix     `json:"openpitrix" doc:"the application store"`
	S3             S3             `json:"s3" doc:"object store of source-to-image"`
	DevOps         DevOps         `json:"devops" doc:"Jenkins"`
	SonarQube      SonarQube      `json:"sonarqube" doc:"SonarQube"`
	ServiceMesh    ServiceMesh    `json:"servicemesh" doc:"Istio, Jaeger, Kiali"`
	LDAP           LDAP           `json:"ldap" doc:"unused since KubeSphere 3.0, kept so that old files load"`
	Terminal       Terminal       `json:"terminal" doc:"node shells"`
	Postern        Postern        `json:"postern" doc:"this program's own keys"`
}
