package service

import "github.com/posternhq/postern/config"

// GrantsOf are the grants that an operator has written down.
func GrantsOf(g config.Grants) Grants {
	out := Grants{
		Prometheus: g.Prometheus, HTTP: g.HTTP, Hosts: g.Hosts, PrivateHosts: g.PrivateHosts, Access: g.Access, Accounts: g.Accounts,
	}
	for _, k := range g.Kube {
		out.Kube = append(out.Kube, KubeGrant{Groups: k.Groups, Resources: k.Resources, Verbs: k.Verbs, Namespaces: k.Namespaces})
	}
	return out
}
