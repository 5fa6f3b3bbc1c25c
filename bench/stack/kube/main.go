// Command kube is the whole control plane of the development stack in one file: etcd with kube-apiserver, a small
// controller manager, kube-scheduler, kwok, metrics-server and kubectl, each a sub-command.
//
// One file costs one link instead of seven and its pages are shared by the processes. Each daemon still runs in a
// process of its own: they own global flags, metric registries and signal handlers, and end with os.Exit.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
)

// commands are the sub-commands; each parses os.Args itself, with its own name as os.Args[0], and returns an exit code.
var commands = map[string]func() int{
	"server":         server,
	"controllers":    controllers,
	"scheduler":      scheduler,
	"kwok":           kwok,
	"kwok-defaults":  kwokDefaults,
	"metrics-server": metricsServer,
	"state-metrics":  stateMetrics,
	"kubectl":        kubectl,
}

func main() {
	name := filepath.Base(os.Args[0])
	if _, ok := commands[name]; !ok && len(os.Args) > 1 {
		name, os.Args = os.Args[1], os.Args[1:]
	}
	run, ok := commands[name]
	if !ok {
		os.Exit(printUsage())
	}
	os.Exit(run())
}

func printUsage() int {
	names := make([]string, 0, len(commands))
	for name := range commands {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Fprintf(os.Stderr, "usage: kube COMMAND [flags], where COMMAND is one of %v\n", names)
	return 2
}

// fail prints what went wrong and returns the exit code for it.
func fail(err error) int {
	fmt.Fprintln(os.Stderr, "kube:", err)
	return 1
}
