package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/posternhq/postern/gateway/module/manifest"
)

func newModuleInspectCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "inspect FILE.wasm",
		Short: "Print what a module serves, wants, imports and exports",
		Long: "Print a module's manifest, the host functions that it imports, what it exports, its size and its digest.\n" +
			"The module is validated, but neither instantiated nor run.",
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
		m, err := inspect(command.Context(), wasm)
		if err != nil {
			return failure{fmt.Errorf("%q: %w", args[0], err)}
		}
		return m.print(command.OutOrStdout(), *output)
	}
	return command
}

// inspection is what `module inspect -o json` prints. Its keys are a contract.
type inspection struct {
	Manifest *manifest.Manifest `json:"manifest"`
	Size     int                `json:"size"`   // bytes
	Digest   string             `json:"digest"` // sha256 in hex, as /modules of the admin listener has it
	Imports  []function         `json:"imports"`
	Exports  []function         `json:"exports"`
}

// function is one of a module's imports or exports.
type function struct {
	Module    string `json:"module,omitempty"` // of an import
	Name      string `json:"name"`
	Signature string `json:"signature"` // (i32 i32) -> i32
}

func inspect(ctx context.Context, wasm []byte) (*inspection, error) {
	about, err := manifest.Of(wasm)
	if err != nil {
		return nil, err
	}
	// The interpreter: what it makes of a module is never run here, and is made faster than machine code.
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer func() { _ = runtime.Close(ctx) }()
	compiled, err := runtime.CompileModule(ctx, wasm)
	if err != nil {
		return nil, fmt.Errorf("cannot compile: %w", err)
	}
	sum := sha256.Sum256(wasm)
	m := &inspection{Manifest: about, Size: len(wasm), Digest: hex.EncodeToString(sum[:]), Imports: []function{}, Exports: []function{}}
	for _, f := range compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		m.Imports = append(m.Imports, function{module, name, signature(f)})
	}
	exports := compiled.ExportedFunctions()
	for _, name := range slices.Sorted(maps.Keys(exports)) {
		m.Exports = append(m.Exports, function{Name: name, Signature: signature(exports[name])})
	}
	return m, nil
}

func signature(f api.FunctionDefinition) string {
	return types(f.ParamTypes()) + " -> " + types(f.ResultTypes())
}

func types(all []api.ValueType) string {
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = api.ValueTypeName(t)
	}
	return "(" + strings.Join(names, " ") + ")"
}

func (m *inspection) print(w io.Writer, output string) error {
	if output == "json" {
		text, err := json.MarshalIndent(m, "", "  ")
		if err != nil {
			return failure{err}
		}
		return write(w, append(text, '\n'))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "name     %s\nversion  %s\nsize     %d bytes\ndigest   %s\n", m.Manifest.Name, m.Manifest.Version, m.Size, m.Digest)
	for _, route := range m.Manifest.Routes() {
		fmt.Fprintf(&b, "serves   %s\n", route)
	}
	for _, want := range wants(m.Manifest) {
		fmt.Fprintf(&b, "wants    %s\n", want)
	}
	for _, f := range m.Imports {
		fmt.Fprintf(&b, "imports  %s %s %s\n", f.Module, f.Name, f.Signature)
	}
	for _, f := range m.Exports {
		fmt.Fprintf(&b, "exports  %s %s\n", f.Name, f.Signature)
	}
	return write(w, []byte(b.String()))
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
	for _, backend := range m.Wants.HTTP {
		all = append(all, "http "+backend)
	}
	return all
}
