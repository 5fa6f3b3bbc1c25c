package gateway

import (
	"encoding/json"
	"runtime"
	"time"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/service"
)

// shipped are the grants of the modules that come with the gateway, so that a kubesphere.yaml that knows nothing of
// grants works as it is. Grants under postern.modules.perModule replace a module's.
var shipped = map[string]service.Grants{
	"iam": {
		Access: true, Accounts: true,
		Kube: []service.KubeGrant{
			{
				Groups: []string{"iam.kubesphere.io"}, Verbs: []string{"get", "list", "create", "update", "patch", "delete"},
				Resources: []string{
					"users", "users/status", "globalroles", "globalrolebindings", "workspaceroles", "workspacerolebindings", "groups", "groupbindings",
					"loginrecords", "rolebases",
				},
			},
			{
				Groups: []string{"rbac.authorization.k8s.io"}, Verbs: []string{"get", "list", "create", "update", "patch", "delete"},
				Resources: []string{"roles", "rolebindings", "clusterroles", "clusterrolebindings"},
			},
			{Groups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get", "list"}},
			{Groups: []string{"devops.kubesphere.io"}, Resources: []string{"devopsprojects"}, Verbs: []string{"get", "list"}},
			{Groups: []string{"tenant.kubesphere.io"}, Resources: []string{"workspaces", "workspacetemplates"}, Verbs: []string{"get", "list"}},
		},
	},
	"kubeedge": {HTTP: []string{"kubeedge"}},
	"monitoring": {
		Prometheus: true,
		Kube: []service.KubeGrant{
			{Groups: []string{""}, Resources: []string{"nodes", "namespaces", "pods"}, Verbs: []string{"get", "list"}},
			{Groups: []string{"metrics.k8s.io"}, Resources: []string{"nodes", "pods"}, Verbs: []string{"get", "list"}},
		},
	},
}

// policies are the operator's word on each module, by name.
func policies(c *config.Config, s *signers) func(name string) module.Policy {
	return func(name string) module.Policy {
		m := c.ModuleFor(name)
		p := module.Policy{
			Limits: limits(c, m.Limits), Fixed: m.LimitsSet, Ceiling: ceiling(c.Postern.Modules.Ceiling), Grants: service.GrantsOf(m.Grants),
			SignedBy: s.of(name),
		}
		p.Limits.IdleUnload = idleUnload(c, m)
		if !m.GrantsSet {
			p.Grants = shipped[name]
		}
		if m.Settings != nil {
			p.Settings, _ = json.Marshal(m.Settings) // values of YAML always marshal
		}
		return p
	}
}

// idleUnload is how long a module may be without requests before it is unloaded; 0: for ever.
func idleUnload(c *config.Config, m config.Module) time.Duration {
	switch {
	case m.Pinned:
		return 0
	case m.IdleUnload != nil:
		return *m.IdleUnload
	}
	return c.Postern.Modules.IdleUnload
}

func limits(c *config.Config, l config.ModuleLimits) module.Limits {
	shards := l.Shards
	if shards == 0 {
		// An instance is one core's worth; a module seldom deserves more than half of them.
		shards = max(1, runtime.GOMAXPROCS(0)/4)
	}
	body := l.RequestBytes
	if body == 0 {
		body = c.Postern.Limits.ModuleBodyBytes
	}
	return module.Limits{
		Memory: int64(l.Memory), Deadline: l.Deadline, CPUPerCall: l.CPUPerCall, RequestsInFlight: l.RequestsInFlight,
		Queue: l.Queue, QueueWait: l.QueueWait, HostCalls: l.HostCalls, HostCallsPerRequest: l.HostCallsPerRequest,
		HandleBytes: int64(l.HandleBytes), RequestBytes: int64(body), ResponseBytes: int64(l.ResponseBytes), SendBytes: int64(l.SendBytes),
		LogLinesPerSecond: l.LogLinesPerSecond, Shards: shards, Breaker: module.BreakerLimits(l.Breaker),
	}
}

// ceiling is how far manifests may raise limits.
func ceiling(l config.ModuleCeiling) module.Limits {
	return module.Limits{
		Memory: int64(l.Memory), Deadline: l.Deadline, CPUPerCall: l.CPUPerCall, RequestsInFlight: l.RequestsInFlight,
		Queue: l.Queue, QueueWait: l.QueueWait, HostCalls: l.HostCalls, HostCallsPerRequest: l.HostCallsPerRequest,
		HandleBytes: int64(l.HandleBytes), RequestBytes: int64(l.RequestBytes), ResponseBytes: int64(l.ResponseBytes),
		SendBytes: int64(l.SendBytes), LogLinesPerSecond: l.LogLinesPerSecond,
	}
}
