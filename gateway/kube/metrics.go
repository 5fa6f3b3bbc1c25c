package kube

import "github.com/prometheus/client_golang/prometheus"

var (
	objectsDesc  = prometheus.NewDesc("postern_kube_store_objects", "Objects held in memory, by kind.", []string{"store"}, nil)
	syncedDesc   = prometheus.NewDesc("postern_kube_store_synced", "1 once the kind has been read completely.", []string{"store"}, nil)
	followsDesc  = prometheus.NewDesc("postern_kube_store_following", "1 while the last attempt to list or watch the kind succeeded.", []string{"store"}, nil)
	restartsDesc = prometheus.NewDesc("postern_kube_store_restarts_total", "Lists and watches that ended too early.", []string{"store"}, nil)
	buildsDesc   = prometheus.NewDesc("postern_kube_index_builds_total", "Times that changes of users or of the authorization index became visible.", nil, nil)
	delayDesc    = prometheus.NewDesc("postern_kube_index_delay_seconds", "Time from the oldest change in the last of them until then.", nil, nil)
	policiesDesc = prometheus.NewDesc("postern_authz_rego_roles", "Roles with a Rego policy, which is not evaluated and allows nothing.", nil, nil)
)

var _ prometheus.Collector = (*Stores)(nil)

// Describe implements prometheus.Collector.
func (p *Stores) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(p, ch) }

// Collect implements prometheus.Collector.
func (p *Stores) Collect(ch chan<- prometheus.Metric) {
	for _, f := range p.feeds {
		synced, objects, restarts, err := f.state()
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, f.name())
		}
		gauge(objectsDesc, float64(objects))
		gauge(syncedDesc, truth(synced))
		gauge(followsDesc, truth(synced && err == nil))
		ch <- prometheus.MustNewConstMetric(restartsDesc, prometheus.CounterValue, float64(restarts), f.name())
	}
	ch <- prometheus.MustNewConstMetric(buildsDesc, prometheus.CounterValue, float64(p.snapshots.Load()))
	ch <- prometheus.MustNewConstMetric(delayDesc, prometheus.GaugeValue, float64(p.delay.Load())/1e9)
	ch <- prometheus.MustNewConstMetric(policiesDesc, prometheus.GaugeValue, float64(p.policies()))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (p *Stores) policies() int {
	d := p.rules
	return d.GlobalRoles().Policies() + d.WorkspaceRoles().Policies() + d.ClusterRoles().Policies() + d.Roles().Policies()
}
