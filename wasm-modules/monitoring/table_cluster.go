package main

// all sums a counter's growth a second in the cluster.
func all(counter, devices string) string { return `sum(rate(` + counter + `{` + devices + `}[5m]))` }

// allFS is a figure of all nodes' file systems, each once.
func allFS(series string) string {
	return `sum(max by (node, instance, device) (` + series + `{` + filesystem + `}))`
}

// number counts the objects that have a series of their own: 0 when there are none, nothing when kube-state-metrics is
// not there.
func number(series string) string {
	return `(count(` + series + `) or count(kube_namespace_created) * 0)`
}

// podsIn counts the pods of the cluster that have a series of 1.
func podsIn(pods string) string { return `(sum(` + pods + `) or count(kube_namespace_created) * 0)` }

const (
	busy        = `sum(rate(node_cpu_seconds_total{mode!~"idle|iowait|steal"}[5m]))`
	cpus        = `count(node_cpu_seconds_total{mode="idle"})`
	free        = `sum(node_memory_MemAvailable_bytes)`
	total       = `sum(node_memory_MemTotal_bytes)`
	quota       = `sum(max by (node) (kube_node_status_capacity{resource="pods"}))`
	nodesAll    = `count(max by (node) (kube_node_info))`
	nodesOnline = `sum(max by (node) (kube_node_status_condition{condition="Ready",status="true"}))`
)

// clusterLevel is the cluster as a whole: one row without labels.
var clusterLevel = &level{metrics: []metric{
	{"cluster_cpu_utilisation", busy + ` / ` + cpus, ``},
	{"cluster_cpu_usage", busy, ``},
	{"cluster_cpu_total", cpus, ``},
	{"cluster_memory_utilisation", `1 - ` + free + ` / ` + total, ``},
	{"cluster_memory_available", free, ``},
	{"cluster_memory_total", total, ``},
	{"cluster_memory_usage_wo_cache", total + ` - ` + free, ``},
	{"cluster_net_utilisation", all("node_network_transmit_bytes_total", nic) + ` + ` + all("node_network_receive_bytes_total", nic), ``},
	{"cluster_net_bytes_transmitted", all("node_network_transmit_bytes_total", nic), ``},
	{"cluster_net_bytes_received", all("node_network_receive_bytes_total", nic), ``},
	{"cluster_disk_read_iops", all("node_disk_reads_completed_total", disk), ``},
	{"cluster_disk_write_iops", all("node_disk_writes_completed_total", disk), ``},
	{"cluster_disk_read_throughput", all("node_disk_read_bytes_total", disk), ``},
	{"cluster_disk_write_throughput", all("node_disk_written_bytes_total", disk), ``},
	{"cluster_disk_size_usage", allFS("node_filesystem_size_bytes") + ` - ` + allFS("node_filesystem_avail_bytes"), ``},
	{"cluster_disk_size_utilisation", `1 - ` + allFS("node_filesystem_avail_bytes") + ` / ` + allFS("node_filesystem_size_bytes"), ``},
	{"cluster_disk_size_capacity", allFS("node_filesystem_size_bytes"), ``},
	{"cluster_disk_size_available", allFS("node_filesystem_avail_bytes"), ``},
	{"cluster_disk_inode_total", allFS("node_filesystem_files"), ``},
	{"cluster_disk_inode_usage", allFS("node_filesystem_files") + ` - ` + allFS("node_filesystem_files_free"), ``},
	{"cluster_disk_inode_utilisation", `1 - ` + allFS("node_filesystem_files_free") + ` / ` + allFS("node_filesystem_files"), ``},
	{"cluster_namespace_count", number("kube_namespace_created"), ``},
	{"cluster_pod_count", podsIn(inPhase(active)), ``},
	{"cluster_pod_quota", quota, ``},
	{"cluster_pod_utilisation", podsIn(inPhase(active)) + ` / ` + quota, ``},
	{"cluster_pod_running_count", podsIn(inPhase("Running")), ``},
	{"cluster_pod_succeeded_count", podsIn(inPhase("Succeeded")), ``},
	{"cluster_pod_abnormal_count", podsIn(abnormal), ``},
	{"cluster_node_online", nodesOnline, ``},
	{"cluster_node_offline", nodesAll + ` - ` + nodesOnline, ``},
	{"cluster_node_total", nodesAll, ``},
	{"cluster_cronjob_count", number("kube_cronjob_info"), ``},
	{"cluster_pvc_count", number("kube_persistentvolumeclaim_info"), ``},
	{"cluster_daemonset_count", number("kube_daemonset_created"), ``},
	{"cluster_deployment_count", number("kube_deployment_created"), ``},
	{"cluster_endpoint_count", number(`kube_endpoint_info`), ``},
	{"cluster_hpa_count", number("kube_horizontalpodautoscaler_info"), ``},
	{"cluster_job_count", number("kube_job_info"), ``},
	{"cluster_statefulset_count", number("kube_statefulset_created"), ``},
	{"cluster_replicaset_count", number("kube_replicaset_created"), ``},
	{"cluster_service_count", number("kube_service_info"), ``},
	{"cluster_secret_count", number("kube_secret_info"), ``},
	{"cluster_pv_count", number("kube_persistentvolume_info"), ``},
	{"cluster_ingresses_extensions_count", number("kube_ingress_info"), ``},
	{"cluster_load1", `avg(node_load1)`, ``},
	{"cluster_load5", `avg(node_load5)`, ``},
	{"cluster_load15", `avg(node_load15)`, ``},
	{"cluster_pod_abnormal_ratio", podsIn(abnormal) + ` / (` + podsIn(inPhase("Pending|Running|Unknown|Failed")) + ` > 0)` + ` or count(kube_namespace_created) * 0`, ``},
	{"cluster_node_offline_ratio", `1 - ` + nodesOnline + ` / ` + nodesAll, ``},
}}
