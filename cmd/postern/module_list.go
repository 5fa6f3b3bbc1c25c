package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/module/manager"
)

// Bounds of asking a gateway's admin listener.
const (
	adminTimeout = 10 * time.Second
	adminBytes   = 16 << 20 // of an answer
)

func newModuleListCommand() *cobra.Command {
	command := &cobra.Command{
		Use:     "list",
		Short:   "List the modules of a running gateway",
		Long:    "List the modules of a running gateway, which its admin listener tells: what each serves, and how it does.",
		Example: "  postern module list\n  postern module list --admin 127.0.0.1:9091 -o json",
		Args:    cobra.NoArgs,
	}
	admin := command.Flags().String("admin", config.Default().Postern.Admin.Address, "host:port of the gateway's admin listener")
	output := outputFlag(command, "text", "text or json")
	command.RunE = func(command *cobra.Command, _ []string) error {
		if *output != "text" && *output != "json" {
			return fmt.Errorf("unknown output %q: want text or json", *output)
		}
		text, err := askAdmin(command.Context(), *admin, "/modules")
		if err != nil {
			return failure{err}
		}
		if *output == "json" {
			return write(command.OutOrStdout(), text)
		}
		var modules []manager.Status
		if err := json.Unmarshal(text, &modules); err != nil {
			return failure{fmt.Errorf("cannot read the answer of %q: %w", *admin, err)}
		}
		return printModules(command.OutOrStdout(), modules)
	}
	return command
}

// askAdmin reads a page of an admin listener.
func askAdmin(ctx context.Context, address, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot ask %q: %w", address, err)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot ask the admin listener: %w", err)
	}
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(r.Body, adminBytes))
	if err != nil {
		return nil, fmt.Errorf("cannot read the answer of %q: %w", address, err)
	}
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%q answered %s: %.200s", address, r.Status, text)
	}
	return text, nil
}

// printModules prints a table, and below it what is wrong with which file.
func printModules(w io.Writer, modules []manager.Status) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FILE\tNAME\tVERSION\tSERVES\tREQUESTS\tFAILURES\tIN FLIGHT\tMEMORY\tDIGEST\tLOADED")
	for _, m := range modules {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d KiB\t%.12s\t%s\n", m.File, m.Name, m.Version, strings.Join(m.Serves, ","),
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
