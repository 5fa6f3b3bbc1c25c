package main

// Which of node_exporter's devices count: those that are neither virtual nor a part or view of another.
const (
	nic        = `device!~"lo|(veth|docker|flannel|cali|tunl|cbr|cni|br-|virbr|kube-|nodelocaldns|ifb|vxlan|dummy).*"`
	disk       = `device!~"(loop|ram|zram|dm-|md|sr|fd).*"`
	filesystem = `device=~"/.*",device!~"/dev/(loop|ram).*",fstype!~"squashfs|iso9660"`
)

// Of the pods on nodes: where each is, and a series of 1 for each that is in one of some phases, or well.
const (
	podNode  = `max by (namespace, pod, node) (kube_pod_info{$node})`
	unready  = `max by (namespace, pod) (kube_pod_status_phase{phase="Running"}) > 0 unless max by (namespace, pod) (kube_pod_status_ready{condition="true"}) > 0`
	abnormal = `(` + inPhase0 + `"Pending|Failed|Unknown"}) > 0 or ` + unready + `)`
	inPhase0 = `max by (namespace, pod) (kube_pod_status_phase{phase=~`
	noPods   = ` or max by (node) (kube_node_info{$node}) * 0`
)

// podsOn counts the pods of each node that have a series of 1; nodes without pods have 0.
func podsOn(pods string) string {
	return `(sum by (node) (` + podNode + ` * on (namespace, pod) group_left () ` + pods + `)` + noPods + `)`
}

// inPhase is a series for every pod: 1 if it is in one of the phases, else 0.
func inPhase(phases string) string { return inPhase0 + `"` + phases + `"})` }

// active are the phases of pods that take a place on a node.
const active = "Pending|Running|Unknown"

// fs is a figure of file systems, each once, however often it is mounted.
func fs(series, by string) string {
	return `sum by (` + by + `) (max by ($by, device) (` + series + `{` + filesystem + `,$exporter}))`
}

// rate is the sum of a counter's growth a second on each node.
func rate(counter, devices string) string {
	return `sum by ($by) (rate(` + counter + `{` + devices + `,$exporter}[5m]))`
}

// pleg is a quantile of the kubelet's relisting.
func pleg(quantile string) string {
	return `label_replace(histogram_quantile(` + quantile + `, sum by (node, le) (rate(kubelet_pleg_relist_duration_seconds_bucket{$node}[5m]))), "quantile", "` + quantile + `", "", "")`
}

const (
	nodeBusy  = `sum by ($by) (rate(node_cpu_seconds_total{mode!~"idle|iowait|steal",$exporter}[5m]))`
	nodeCPUs  = `count by ($by) (node_cpu_seconds_total{mode="idle",$exporter})`
	nodeFree  = `max by ($by) (node_memory_MemAvailable_bytes{$exporter})`
	nodeTotal = `max by ($by) (node_memory_MemTotal_bytes{$exporter})`
	nodeQuota = `max by (node) (kube_node_status_capacity{resource="pods",$node})`
)

// nodeLevel are the nodes.
var nodeLevel = &level{
	labels: []string{"node"},
	about: `max by (node, internal_ip) (kube_node_info{$node}) * on (node) group_left (role) (
label_replace(max by (node) (kube_node_role{role="edge",$node}), "role", "edge", "", "")
or on (node) label_replace(max by (node) (kube_node_role{role=~"master|control-plane",$node}), "role", "master", "", "")
or on (node) label_replace(max by (node) (kube_node_info{$node}), "role", "worker", "", ""))`,
	aboutRow: `{"object":{"key":"/metric/node","host_ip":"/metric/internal_ip","role":"/metric/role"}}`,
	extra:    []string{"host_ip", "role"},
	metrics: []metric{
		{"node_cpu_utilisation", nodeBusy + ` / ` + nodeCPUs, `{"div":["/cpu","/cpu_total"]}`},
		{"node_cpu_total", nodeCPUs, `"/cpu_total"`},
		{"node_cpu_usage", nodeBusy, `"/cpu"`},
		{"node_memory_utilisation", `1 - ` + nodeFree + ` / ` + nodeTotal, `{"div":["/memory","/memory_total"]}`},
		{"node_memory_usage_wo_cache", nodeTotal + ` - ` + nodeFree, `"/memory"`},
		{"node_memory_available", nodeFree, ``},
		{"node_memory_total", nodeTotal, `"/memory_total"`},
		{"node_net_utilisation", rate("node_network_transmit_bytes_total", nic) + ` + ` + rate("node_network_receive_bytes_total", nic), ``},
		{"node_net_bytes_transmitted", rate("node_network_transmit_bytes_total", nic), ``},
		{"node_net_bytes_received", rate("node_network_receive_bytes_total", nic), ``},
		{"node_disk_read_iops", rate("node_disk_reads_completed_total", disk), ``},
		{"node_disk_write_iops", rate("node_disk_writes_completed_total", disk), ``},
		{"node_disk_read_throughput", rate("node_disk_read_bytes_total", disk), ``},
		{"node_disk_write_throughput", rate("node_disk_written_bytes_total", disk), ``},
		{"node_disk_size_capacity", fs("node_filesystem_size_bytes", "$by"), ``},
		{"node_disk_size_available", fs("node_filesystem_avail_bytes", "$by"), ``},
		{"node_disk_size_usage", fs("node_filesystem_size_bytes", "$by") + ` - ` + fs("node_filesystem_avail_bytes", "$by"), ``},
		{"node_disk_size_utilisation", `1 - ` + fs("node_filesystem_avail_bytes", "$by") + ` / ` + fs("node_filesystem_size_bytes", "$by"), ``},
		{"node_disk_inode_total", fs("node_filesystem_files", "$by"), ``},
		{"node_disk_inode_usage", fs("node_filesystem_files", "$by") + ` - ` + fs("node_filesystem_files_free", "$by"), ``},
		{"node_disk_inode_utilisation", `1 - ` + fs("node_filesystem_files_free", "$by") + ` / ` + fs("node_filesystem_files", "$by"), ``},
		{"node_pod_count", podsOn(inPhase(active)), ``},
		{"node_pod_quota", nodeQuota, ``},
		{"node_pod_utilisation", podsOn(inPhase(active)) + ` / ` + nodeQuota, ``},
		{"node_pod_running_count", podsOn(inPhase("Running")), ``},
		{"node_pod_succeeded_count", podsOn(inPhase("Succeeded")), ``},
		{"node_pod_abnormal_count", podsOn(abnormal), ``},
		{"node_load1", `max by ($by) (node_load1{$exporter})`, ``},
		{"node_load5", `max by ($by) (node_load5{$exporter})`, ``},
		{"node_load15", `max by ($by) (node_load15{$exporter})`, ``},
		{"node_pod_abnormal_ratio", podsOn(abnormal) + ` / (` + podsOn(inPhase("Pending|Running|Unknown|Failed")) + ` > 0)` + noPods, ``},
		{"node_pleg_quantile", pleg("0.99") + ` or ` + pleg("0.9") + ` or ` + pleg("0.5"), ``},
		{"node_device_size_usage", fs("node_filesystem_size_bytes", "$by, device") + ` - ` + fs("node_filesystem_avail_bytes", "$by, device"), ``},
		{"node_device_size_utilisation", `1 - ` + fs("node_filesystem_avail_bytes", "$by, device") + ` / ` + fs("node_filesystem_size_bytes", "$by, device"), ``},
	},
}
