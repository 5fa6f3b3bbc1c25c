package main

import (
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/spf13/cobra"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway"
	"github.com/posternhq/postern/gateway/token"
)

// newTokenCommand is `postern token`: an access token for trying things out. It asks no gateway, and the cluster only for
// keys that are not configured.
func newTokenCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "token USER",
		Short: "Print an access token for a user, signed as the gateway does",
		Long: "Print an access token that a gateway with the same configuration accepts, provided that the user exists and is\n" +
			"not disabled then. It is signed with authentication.jwtSecret or, where that is not set, with the key that\n" +
			"gateways share in the cluster (Secret postern-keys). Whoever can read that key can be anybody: keep it.",
		Example: "  curl -H \"Authorization: Bearer $(postern token admin --config kubesphere.yaml)\" localhost:9090/api/v1/namespaces",
		Args:    cobra.ExactArgs(1),
	}
	flags := config.BindFlags(command.Flags())
	life := command.Flags().Duration("life", 0, "how long it is good (default: authentication.oauthOptions.accessTokenMaxAge)")
	command.RunE = func(command *cobra.Command, args []string) error {
		options, err := flags.Options()
		if err != nil {
			return err
		}
		c, _, err := config.Load(options)
		if err != nil {
			return failure{err}
		}
		a := c.Authentication
		age := a.OAuthOptions.AccessTokenMaxAge
		if command.Flags().Changed("life") {
			if *life <= 0 {
				return fmt.Errorf("--life must be positive, not %v", *life)
			}
			age = *life
		}
		keys, err := gateway.ReadKeys(command.Context(), c)
		if err != nil {
			return failure{fmt.Errorf("cannot sign a token: %w", err)}
		}
		text, err := accessToken(keys, args[0], age)
		if err != nil {
			return failure{err}
		}
		return write(command.OutOrStdout(), []byte(text+"\n"))
	}
	return command
}

// accessToken is a token of user that is good for age; 0: for ever.
func accessToken(keys *token.Keys, user string, age time.Duration) (string, error) {
	c := &token.Claims{Kind: token.Access, Username: user}
	c.Subject = user
	if age > 0 {
		c.Expiry = jwt.NewNumericDate(time.Now().Add(age))
	}
	return keys.Sign(c)
}
