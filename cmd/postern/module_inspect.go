package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/gateway/module/inspect"
	"github.com/posternhq/postern/gateway/module/manifest"
)

func newModuleInspectCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "inspect FILE.wasm",
		Short: "Print what a module serves, wants, imports, exports and costs",
		Long: "Print a module's manifest with the grants, limits and settings that it asks for, who signed it, the host functions that it imports,\n" +
			"what it exports, its size and digest, its memory, and what it takes to compile it on this machine.\n" +
			"The module is compiled, but neither instantiated nor run.",
		Example: "  postern module inspect modules/hello.wasm\n  postern module inspect modules/hello.wasm -o json",
		Args:    cobra.ExactArgs(1),
	}
	output := outputFlag(command, "text", "text or json")
	command.RunE = func(command *cobra.Command, args []string) error {
		if *output != "text" && *output != "json" {
			return fmt.Errorf("unknown output %q: want text or json", *output)
		}
		wasm, err := os.ReadFile(args[0])
		if err != nil {
			return failure{fmt.Errorf("cannot read the module: %w", err)}
		}
		r, err := inspect.Of(command.Context(), wasm)
		if err != nil {
			return failure{fmt.Errorf("%q: %w", args[0], err)}
		}
		return printReport(command.OutOrStdout(), r, *output)
	}
	return command
}

// printReport prints a line for each fact.
func printReport(w io.Writer, r *inspect.Report, output string) error {
	if output == "json" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return failure{err}
		}
		return write(w, append(text, '\n'))
	}
	var b strings.Builder
	line := func(key, format string, args ...any) {
		fmt.Fprintf(&b, "%-9s "+format+"\n", append([]any{key}, args...)...)
	}
	m := r.Manifest
	line("name", "%s", m.Name)
	line("version", "%s", m.Version)
	line("abi", "%s, %s", m.ABI, r.Kind)
	line("size", "%d bytes: code %d, data %d, custom %d", r.Size.File, r.Size.Code, r.Size.Data, r.Size.Custom)
	line("digest", "%s", r.Digest)
	for _, id := range r.Signatures {
		line("signed", "by key %s (not verified)", id)
	}
	for _, route := range m.Routes() {
		line("serves", "%s", route)
	}
	for _, s := range m.Serves {
		for _, route := range s.Routes {
			line("route", "%s", route)
		}
	}
	for _, want := range wants(m) {
		line("wants", "%s", want)
	}
	for _, limit := range limits(m) {
		line("limit", "%s", limit)
	}
	if m.Settings != nil {
		line("settings", "%s", m.Settings)
	}
	line("memory", "%d KiB at the start, at most %d KiB", r.Memory.Start>>10, r.Memory.Most>>10)
	line("copies", "%s", r.Copies)
	line("compile", "%.2f s, %d KiB of machine code", r.Compile.Seconds, r.Compile.MachineCode>>10)
	for _, f := range r.Imports {
		line("imports", "%s %s %s", f.Module, f.Name, f.Signature)
	}
	for _, f := range r.Exports {
		line("exports", "%s %s", f.Name, f.Signature)
	}
	return write(w, []byte(b.String()))
}

// limits are what a module asks for instead of the defaults, in words.
func limits(m *manifest.Manifest) (all []string) {
	text, err := json.Marshal(m.Limits)
	var set map[string]any
	if err != nil || json.Unmarshal(text, &set) != nil {
		return nil // they have been read from text
	}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		all = append(all, fmt.Sprintf("%s %v", key, set[key]))
	}
	return all
}

// wants are the grants that a module asks for, in words.
func wants(m *manifest.Manifest) []string {
	var all []string
	for _, k := range m.Wants.Kube {
		groups := strings.Join(k.Groups, ",")
		if groups == "" {
			groups = "core"
		}
		all = append(all, fmt.Sprintf("kube %s of %s: %s", strings.Join(k.Resources, ","), groups, strings.Join(k.Verbs, ",")))
	}
	if m.Wants.Prometheus {
		all = append(all, "prometheus")
	}
	if m.Wants.Access {
		all = append(all, "access")
	}
	if m.Wants.Accounts {
		all = append(all, "accounts")
	}
	for _, backend := range m.Wants.HTTP {
		all = append(all, "http "+backend)
	}
	for _, host := range m.Wants.Hosts {
		all = append(all, "host "+host)
	}
	return all
}
