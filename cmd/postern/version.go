package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/gateway/core"
)

// newVersionCommand is `postern version`.
func newVersionCommand() *cobra.Command {
	command := &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs}
	output := outputFlag(command, "text", "text or json")
	command.RunE = func(command *cobra.Command, _ []string) error {
		v := core.Build()
		if *output == "json" {
			text, err := json.MarshalIndent(v, "", "  ")
			if err != nil {
				return failure{err}
			}
			return write(command.OutOrStdout(), append(text, '\n'))
		}
		return write(command.OutOrStdout(), fmt.Appendf(nil, "postern %s (%s, %s)\n", v.GitVersion, v.GoVersion, v.Platform))
	}
	return command
}
