package main

// perPod is the sum of a figure over each pod's series.
func perPod(figure string) string { return `sum by (namespace, pod) (` + figure + `)` }

// container leaves out cAdvisor's series of whole pods and of their pauses, which would count all a second time.
const container = `container!="",container!="POD",$pod`

// podLevel are the pods.
var podLevel = &level{
	labels: []string{"namespace", "pod"},
	about:  `max by (namespace, pod, node, host_ip, created_by_kind, created_by_name) (kube_pod_info{$pod})`,
	aboutRow: `{"object":{"key":["/metric/namespace","/metric/pod"],"node":"/metric/node","host_ip":"/metric/host_ip",` +
		`"owner_kind":"/metric/created_by_kind","owner_name":"/metric/created_by_name"}}`,
	extra: []string{"node", "host_ip", "owner_kind", "owner_name"},
	metrics: []metric{
		{"pod_cpu_usage", perPod(`rate(container_cpu_usage_seconds_total{` + container + `}[5m])`), `"/cpu"`},
		{"pod_memory_usage", perPod(`container_memory_usage_bytes{` + container + `}`), ``},
		{"pod_memory_usage_wo_cache", perPod(`container_memory_working_set_bytes{` + container + `}`), `"/memory"`},
		{"pod_net_bytes_transmitted", perPod(`rate(container_network_transmit_bytes_total{interface!="lo",$pod}[5m])`), ``},
		{"pod_net_bytes_received", perPod(`rate(container_network_receive_bytes_total{interface!="lo",$pod}[5m])`), ``},
	},
}
