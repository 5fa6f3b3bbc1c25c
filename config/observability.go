package config

import "time"

// Search is a store that speaks Elasticsearch's API, as the sections logging,
// events and auditing name it. IndexPrefix has a default of its own in each.
type Search struct {
	Host        string `json:"host" doc:"base URL; empty: off"`
	BasicAuth   bool   `json:"basicAuth" default:"false" doc:"send username and password"`
	Username    string `json:"username" doc:"for basicAuth"`
	Password    string `json:"password" secret:"true" doc:"for basicAuth"`
	IndexPrefix string `json:"indexPrefix" doc:"indices are prefix-YYYY.MM.DD"`
	Version     string `json:"version" doc:"major version, as 7; empty: ask the store"`
}

// Logging is where logs are queried from.
type Logging struct {
	Search
	ExportLogsLimit int `json:"exportLogsLimit" default:"100000" check:"nonnegative" doc:"lines in one export"`
}

// Events is where Kubernetes events are queried from.
type Events struct {
	Search
}

// Auditing is where audit events go and where they are queried from.
type Auditing struct {
	Enable             bool          `json:"enable" default:"false" doc:"write audit events"`
	WebhookURL         string        `json:"webhookUrl" check:"url" doc:"where events are posted; empty: kube-auditing-webhook-svc in kubesphere-logging-system"`
	EventSendersNum    int           `json:"eventSendersNum" default:"0" check:"nonnegative" doc:"posts at once; 0: 100"`
	EventBatchSize     int           `json:"eventBatchSize" default:"0" check:"nonnegative" doc:"events in one post; 0: 100"`
	EventBatchInterval time.Duration `json:"eventBatchInterval" default:"0s" check:"nonnegative" doc:"an event waits no longer than this for its batch; 0: 3s"`
	Search
}

// Alerting says where alert rules are read from.
type Alerting struct {
	Endpoint                 string `json:"endpoint" doc:"rule engine's base URL"`
	PrometheusEndpoint       string `json:"prometheusEndpoint" doc:"Prometheus with the built-in rules"`
	ThanosRulerEndpoint      string `json:"thanosRulerEndpoint" doc:"Thanos Ruler with the users' rules"`
	ThanosRuleResourceLabels string `json:"thanosRuleResourceLabels" doc:"labels of PrometheusRule objects, as a=b,c=d"`
}
