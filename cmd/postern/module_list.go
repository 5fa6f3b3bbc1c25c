package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/gateway/module/manager"
)

func newModuleListCommand() *cobra.Command {
	command := &cobra.Command{
		Use:     "list",
		Short:   "List the modules of a running gateway",
		Long:    "List the modules of a running gateway, which its admin listener tells: what each serves, and how it does.",
		Example: "  postern module list\n  postern module list --admin 127.0.0.1:9091 -o json",
		Args:    cobra.NoArgs,
	}
	client, output := adminFlags(command), outputFlag(command, "text", "text or json")
	command.RunE = func(command *cobra.Command, _ []string) error {
		if *output != "text" && *output != "json" {
			return fmt.Errorf("unknown output %q: want text or json", *output)
		}
		text, err := client.ask(command.Context(), adminTimeout, http.MethodGet, "/modules", nil)
		if err != nil {
			return err
		}
		if *output == "json" {
			return write(command.OutOrStdout(), text)
		}
		var modules []manager.Status
		if err := client.decode(text, &modules); err != nil {
			return err
		}
		return printModules(command.OutOrStdout(), modules)
	}
	return command
}

// printModules prints a table, and below it what is wrong with which file.
func printModules(w io.Writer, modules []manager.Status) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FILE\tSTATE\tNAME\tVERSION\tSERVES\tREQUESTS\tFAILURES\tIN FLIGHT\tMEMORY\tDIGEST\tLOADED")
	for _, m := range modules {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d KiB\t%.12s\t%s\n", m.File, m.State, m.Name, m.Version, strings.Join(m.Serves, ","),
			m.Requests, m.Failures, m.InFlight, m.Memory>>10, m.Digest, m.Loaded.Format(time.RFC3339))
	}
	if err := t.Flush(); err != nil {
		return failure{err}
	}
	for _, m := range modules {
		if m.Error != "" {
			fmt.Fprintf(&b, "error: %s: %s\n", m.File, m.Error)
		}
	}
	return write(w, []byte(b.String()))
}
