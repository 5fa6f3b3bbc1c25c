// Package config reads kubesphere.yaml: KubeSphere's 24 sections with their
// keys, types and defaults, and one section of our own, postern.
//
// Values come from four layers, each over the one before: the defaults, the
// file, the environment (KUBESPHERE_SECTION_KEY), the flags. All four are read
// again at each reload, so a flag survives it. Load returns an immutable
// snapshot and a report with what was odd about its sources; Watcher does so
// again whenever the file changes.
//
// # Keys that need a restart
//
// A changed key takes effect at the next reload, except those that sockets,
// connection pools and folders are made from. They carry the tag restart, and
// Config.RestartRequired names those that differ: kubernetes.*,
// postern.listen.*, postern.admin.address, the size, time and connection limits
// of the listener, postern.log.level and format, and postern.modules.dir,
// cacheDir and scanInterval.
package config
