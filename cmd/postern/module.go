package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/gateway/module/manifest"
	signing "github.com/posternhq/postern/gateway/module/signature"
)

// newModuleCommand is `postern module`: makes, tests and moves the .wasm files that the gateway loads, and says what is in them.
func newModuleCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "module",
		Short: "Make and test WebAssembly modules, and operate those of a running gateway",
		Args:  cobra.NoArgs,
		RunE:  func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(
		newModuleNewCommand(), newModuleBuildCommand(), newModuleTestCommand(), newModuleRunCommand(), newModuleWatchCommand(),
		newModulePackCommand(), newModuleInspectCommand(), newModuleListCommand(),
	)
	command.AddCommand(
		newModulePushCommand(), newModulePullCommand(), newModuleSignCommand(), newModuleVerifyCommand(), newModuleKeygenCommand(),
	)
	command.AddCommand(newModuleShowCommand(), newModuleLogsCommand(), newModuleTopCommand())
	command.AddCommand(newModuleOperateCommands()...)
	return command
}

func newModulePackCommand() *cobra.Command {
	var out string
	command := &cobra.Command{
		Use:   "pack FILE.wasm MODULE.yaml",
		Short: "Put a manifest into a compiled module",
		Long: "Put a manifest into a compiled module of any language, in the place of one that is there already. The module's\n" +
			"signatures go, for they would not hold any more.",
		Example: "  postern module pack hello.wasm module.yaml -o modules/hello.wasm",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			packed, err := pack(args[0], args[1])
			if err != nil {
				return failure{err}
			}
			if out == "" {
				out = args[0]
			}
			return place(out, packed)
		},
	}
	command.Flags().StringVarP(&out, "output", "o", "", "file to write (default: the module itself)")
	return command
}

func pack(wasm, about string) ([]byte, error) {
	module, err := os.ReadFile(wasm)
	if err != nil {
		return nil, fmt.Errorf("cannot read the module: %w", err)
	}
	text, err := os.ReadFile(about)
	if err != nil {
		return nil, fmt.Errorf("cannot read the manifest: %w", err)
	}
	packed, err := manifest.Pack(signing.Unsigned(module), text)
	if err != nil {
		return nil, fmt.Errorf("cannot pack %q into %q: %w", about, wasm, err)
	}
	return packed, nil
}

// place writes a module beside its name and renames it: a gateway that watches the folder never sees half of it.
func place(path string, wasm []byte) error {
	temporary := path + ".tmp"
	if err := os.WriteFile(temporary, wasm, 0o644); err != nil {
		return failure{fmt.Errorf("cannot write the module: %w", err)}
	}
	if err := os.Rename(temporary, path); err != nil {
		return failure{fmt.Errorf("cannot write the module: %w", err)}
	}
	return nil
}
