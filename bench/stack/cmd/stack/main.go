// Command stack runs the development stack: see `stack up -h`.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	stack "github.com/posternhq/postern/bench/stack"
)

const help = `usage: stack up [flags]
       stack build [flags]    builds and fetches what up needs, and starts nothing
       stack toolchain        fetches the compilers of C, Rust and AssemblyScript that modules are built and tested with
       stack servers          fetches the servers that tests start for themselves: OpenLDAP and Redis

Starts a real Kubernetes control plane with fake nodes, metrics and Prometheus on loopback, and Postern in front of it.
SIGINT or SIGTERM stops everything. Flags:
`

func main() {
	flags := flag.NewFlagSet("stack", flag.ExitOnError)
	var o stack.Options
	flags.StringVar(&o.Dir, "dir", "", "folder of the stack's state (default: .postern/run in the repository, with --kubeconfig .postern/given)")
	flags.StringVar(&o.Kubeconfig, "kubeconfig", "", "use the cluster of this kubeconfig instead of one of our own")
	flags.StringVar(&o.Prometheus, "prometheus", "", "with --kubeconfig: URL of that cluster's Prometheus")
	flags.StringVar(&o.Edge, "edge", "", "URL behind /kapis/kubeedge.kubesphere.io")
	flags.BoolVar(&o.NoGateway, "no-gateway", false, "leave the gateway out")
	flags.StringVar(&o.ReadyFile, "ready-file", "", "write what is running to this file, as JSON, once it is ready")
	flags.Usage = func() {
		fmt.Fprint(os.Stderr, help)
		flags.PrintDefaults()
	}
	commands := map[string]func(context.Context, stack.Options) error{
		"up": stack.Up, "build": stack.Build, "toolchain": stack.Toolchain, "servers": stack.Servers,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		flags.Usage()
		os.Exit(2)
	}
	_ = flags.Parse(os.Args[2:]) // ExitOnError: never returns an error
	o.Out = os.Stdout

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	err := commands[os.Args[1]](ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "stack:", err)
		os.Exit(1)
	}
}
