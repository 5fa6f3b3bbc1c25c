package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/gateway/module/codecache"
)

// compileCommand is the name of what the gateway starts itself as.
const compileCommand = "compile-into"

// newCompileCommand is what the gateway starts to compile a module beside the traffic. People have no use for it.
func newCompileCommand() *cobra.Command {
	return &cobra.Command{
		Use:    compileCommand + " DIR < MODULE",
		Short:  "Compile a module into an empty folder, with the least priority",
		Args:   cobra.ExactArgs(1),
		Hidden: true,
		RunE: func(command *cobra.Command, args []string) error {
			if err := codecache.Main(command.Context(), args[0], command.InOrStdin()); err != nil {
				return failure{err}
			}
			return nil
		},
	}
}

// compileApart has modules compiled by this program in a process of its own; nil where it cannot be found.
func compileApart() codecache.Compile {
	// The name that the kernel has for it stays good when the file is replaced by a newer version meanwhile, whose
	// code would not fit.
	program := "/proc/self/exe"
	if _, err := os.Stat(program); err != nil {
		if program, err = os.Executable(); err != nil {
			return nil
		}
	}
	return codecache.Child{Program: program, Args: []string{compileCommand}}.Compile
}
