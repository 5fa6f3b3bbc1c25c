package main

import (
	"encoding/json"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/manifest"
)

// built is what `module build --json` prints. Its keys are a contract.
type built struct {
	File   string `json:"file"`
	Module string `json:"module"`
	Digest string `json:"digest"` // sha256 in hex
	Size   int    `json:"size"`   // bytes
}

func newModuleBuildCommand() *cobra.Command {
	var out string
	var asJSON bool
	command := &cobra.Command{
		Use:   "build DIR",
		Short: "Compile a module and pack the module.yaml beside it",
		Long: "Compile the module in DIR and pack the module.yaml beside it into the file. The language is told by the files:\n\n" +
			"  *.go                      Go 1.26, for wasip1\n" +
			"  *.c                       clang, with wasi-libc or without: apt install clang lld wasi-libc\n" +
			"  lib.rs, src/lib.rs        rustc: apt install rustc libstd-rust-dev-wasm32 lld\n" +
			"  Cargo.toml                cargo, with the target wasm32-unknown-unknown\n" +
			"  index.ts                  asc, the AssemblyScript compiler: npm ci in DIR\n\n" +
			"Compilers are looked for in $POSTERN_TOOLCHAIN, in what `make toolchain` fetched, and on the PATH.",
		Example: "  postern module build wasm-modules/hello -o modules/hello.wasm\n  postern module build . --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			wasm, err := compile(command.Context(), command.ErrOrStderr(), args[0])
			if err != nil {
				return failure{err}
			}
			if out == "" {
				if out, err = defaultName(args[0]); err != nil {
					return failure{err}
				}
			}
			if err := place(out, wasm); err != nil || !asJSON {
				return err
			}
			about, err := manifest.Of(wasm)
			if err != nil {
				return failure{err}
			}
			text, err := json.MarshalIndent(built{out, about.Name, module.Digest(wasm), len(wasm)}, "", "  ")
			if err != nil {
				return failure{err}
			}
			return write(command.OutOrStdout(), append(text, '\n'))
		},
	}
	command.Flags().StringVarP(&out, "output", "o", "", "file to write (default: the folder's name with .wasm, in the working folder)")
	command.Flags().BoolVar(&asJSON, "json", false, "print what was built as JSON")
	return command
}

// defaultName is the folder's name with .wasm, also for ".".
func defaultName(dir string) (string, error) {
	full, err := filepath.Abs(dir)
	return filepath.Base(full) + ".wasm", err
}
