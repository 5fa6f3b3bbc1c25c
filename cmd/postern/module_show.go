package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/gateway/module/manager"
)

func newModuleShowCommand() *cobra.Command {
	command := &cobra.Command{
		Use:     "show NAME",
		Short:   "Print all that a running gateway knows of a module",
		Long:    "Print what serves and why not, the versions to roll back to, a rollout that is under way, and how the module does.",
		Example: "  postern module show hello\n  postern module show hello -o json",
		Args:    cobra.ExactArgs(1),
	}
	client, output := adminFlags(command), outputFlag(command, "text", "text or json")
	command.ValidArgsFunction = client.complete
	command.RunE = func(command *cobra.Command, args []string) error {
		if *output != "text" && *output != "json" {
			return fmt.Errorf("unknown output %q: want text or json", *output)
		}
		text, err := client.ask(command.Context(), adminTimeout, http.MethodGet, modulePath(args[0], ""), nil)
		if err != nil {
			return err
		}
		if *output == "json" {
			return write(command.OutOrStdout(), text)
		}
		var d manager.Detail
		if err := client.decode(text, &d); err != nil {
			return err
		}
		return write(command.OutOrStdout(), []byte(describe(&d)))
	}
	return command
}

// describe is a module's detail for people.
func describe(d *manager.Detail) string {
	var b strings.Builder
	line := func(key, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", key, fmt.Sprintf(format, args...))
	}
	line("module", "%s (%s, from %s)", d.Module, d.File, d.Source)
	line("state", "%s", d.State)
	if d.Error != "" {
		line("error", "%s", strings.ReplaceAll(d.Error, "\n", "\n           "))
	}
	if d.Digest != "" {
		line("serves", "%s %s: %s", d.Name, d.Version, strings.Join(d.Serves, ", "))
		line("digest", "%s", d.Digest)
		line("requests", "%d, %d failed, %d in flight; p50 %s, p90 %s, p99 %s", d.Requests, d.Failures, d.InFlight,
			milliseconds(d.Latency.P50), milliseconds(d.Latency.P90), milliseconds(d.Latency.P99))
		line("instances", "%d, %s; %d lost; breaker %s", d.Instances, bytesOf(d.Memory), d.Traps, d.Breaker)
		line("compiled", "in %s", time.Duration(d.CompileSeconds*float64(time.Second)).Round(time.Millisecond))
		grants(line, d)
	}
	if r := d.Rollout; r != nil {
		line("rollout", "%.12s (version %s) gets %d %% since %s", r.Digest, r.Version, r.Weight, r.Since.Format(time.RFC3339))
		line("  before", "%s", arm(&r.Main))
		line("  new", "%s", arm(&r.Next))
	}
	for _, p := range d.History {
		line("served", "%.12s version %s since %s", p.Digest, p.Version, p.Since.Format(time.RFC3339))
	}
	for _, r := range d.Refused {
		line("refused", "%.12s: %s", r.Digest, r.Reason)
	}
	return b.String()
}

// grants are what the module may reach.
func grants(line func(key, format string, args ...any), d *manager.Detail) {
	for _, k := range d.Grants.Kube {
		line("granted", "kube %s of %s in groups %q", strings.Join(k.Verbs, ","), strings.Join(k.Resources, ","), k.Groups)
	}
	if d.Grants.Prometheus {
		line("granted", "prometheus")
	}
	if d.Grants.Access {
		line("granted", "access")
	}
	if d.Grants.Accounts {
		line("granted", "accounts")
	}
	for _, h := range d.Grants.HTTP {
		line("granted", "http backend %s", h)
	}
}

func arm(a *manager.ArmStatus) string {
	return fmt.Sprintf("%d requests, %d failed; p50 %s, p90 %s, p99 %s", a.Requests, a.Errors, a.P50, a.P90, a.P99)
}

func milliseconds(seconds float64) string { return fmt.Sprintf("%.3g ms", seconds*1000) }

// bytesOf is a size for people.
func bytesOf(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
