// Postern is a gateway for Kubernetes platforms. Without a command it runs; see `postern help`.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	// The first signal asks the gateway to drain; the second one ends it at once, as if there were no handler.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	command := newCommand()
	err := command.ExecuteContext(ctx)
	if err != nil && !errors.Is(err, errReported) {
		fmt.Fprintln(os.Stderr, "error:", err)
		if exitCode(err) == exitUsage {
			fmt.Fprintf(os.Stderr, "See '%s --help'.\n", command.CommandPath())
		}
	}
	os.Exit(exitCode(err))
}

// newCommand is the whole program.
func newCommand() *cobra.Command {
	command := newRunCommand()
	command.Use = "postern"
	command.Short = "A gateway for Kubernetes platforms"
	command.Long = "Postern says who is asking, decides whether they may, and proxies the request to kube-apiserver\n" +
		"or has a WebAssembly module answer it. Without a command it runs, as `postern run` does."
	command.Example = ""
	command.SilenceErrors, command.SilenceUsage = true, true
	run := newRunCommand()
	command.AddCommand(
		run, newConfigCommand(), explainCommand(), newCRDsCommand(), newModuleCommand(), newCompileCommand(), newTokenCommand(), newKeysCommand(), newVersionCommand(),
		newLoginCommand(), newLogoutCommand(), newCredentialCommand(), newKubeconfigCommand(),
	)
	return command
}
