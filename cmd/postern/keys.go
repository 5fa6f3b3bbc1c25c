package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway"
	"github.com/posternhq/postern/gateway/token"
)

// newKeysCommand is `postern keys`: the keys that gateways share in the cluster.
func newKeysCommand() *cobra.Command {
	command := &cobra.Command{Use: "keys", Short: "Exchange the keys that sign tokens", Args: cobra.NoArgs}
	command.AddCommand(newKeysRotateCommand())
	return command
}

func newKeysRotateCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "rotate",
		Short: "Make new keys; nobody is logged out",
		Long: "Make new keys in the Secret postern-keys, which all gateways read. They sign with them after " + token.Overlap.String() + ", when every\n" +
			"one of them knows them. Keys of before are verified with until the last of their tokens has ended. Keys that\n" +
			"are configured (authentication.jwtSecret, oauthOptions.signKey) are exchanged in the configuration: see\n" +
			"postern.authentication.keys.",
		Example: "  postern keys rotate --config kubesphere.yaml",
		Args:    cobra.NoArgs,
	}
	flags := config.BindFlags(command.Flags())
	command.RunE = func(command *cobra.Command, _ []string) error {
		options, err := flags.Options()
		if err != nil {
			return err
		}
		c, _, err := config.Load(options)
		if err != nil {
			return failure{err}
		}
		b, err := gateway.RotateKeys(command.Context(), c)
		if err != nil {
			return failure{fmt.Errorf("cannot make new keys: %w", err)}
		}
		return write(command.OutOrStdout(), fmt.Appendf(nil, "new keys of %s sign from %s on; %d of before are still good\n",
			b.Made().Format(time.RFC3339), b.Made().Add(token.Overlap).Format(time.RFC3339), len(b.Secrets)-1))
	}
	return command
}
