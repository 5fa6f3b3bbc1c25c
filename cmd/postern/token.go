package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/spf13/cobra"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/token"
)

// errNoSecret: a gateway without a configured secret signs with a random one, which nobody else knows.
var errNoSecret = errors.New("authentication.jwtSecret is not set: no gateway would accept the token")

// newTokenCommand is `postern token`: an access token for trying things out. It asks neither cluster nor gateway.
func newTokenCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "token USER",
		Short: "Print an access token for a user, signed with the configured secret",
		Long: "Print an access token that a gateway with the same authentication.jwtSecret and issuer accepts, provided that\n" +
			"the user exists and is not disabled then. Whoever can read the secret can be anybody: keep it.",
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
		if a.JWTSecret == "" {
			return failure{errNoSecret}
		}
		age := a.OAuthOptions.AccessTokenMaxAge
		if command.Flags().Changed("life") {
			if *life <= 0 {
				return fmt.Errorf("--life must be positive, not %v", *life)
			}
			age = *life
		}
		text, err := accessToken(&a, args[0], age)
		if err != nil {
			return failure{err}
		}
		return write(command.OutOrStdout(), []byte(text+"\n"))
	}
	return command
}

// accessToken is a token of user that is good for age; 0: for ever.
func accessToken(a *config.Authentication, user string, age time.Duration) (string, error) {
	keys, err := token.New(token.Options{Secret: []byte(a.JWTSecret), Issuer: a.OAuthOptions.Issuer})
	if err != nil {
		return "", err
	}
	c := &token.Claims{Kind: token.Access, Username: user}
	c.Subject = user
	if age > 0 {
		c.Expiry = jwt.NewNumericDate(time.Now().Add(age))
	}
	return keys.Sign(c)
}
