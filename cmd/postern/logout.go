package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

// newLogoutCommand is `postern logout`.
func newLogoutCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "logout",
		Short: "End a login, at the gateway too",
		Long: "End the session at the gateway, so that its tokens are good for nobody any more, and forget them.\n" +
			"Without flags: the last login.",
		Example: "  postern logout\n  postern logout --server https://gateway.example.com -u alice",
		Args:    cobra.NoArgs,
	}
	store := loginFlag(command)
	server := command.Flags().String("server", "", "URL of the gateway")
	user := command.Flags().StringP("user", "u", "", "whose login")
	local := command.Flags().Bool("local", false, "forget the tokens here, and do not ask the gateway")
	command.RunE = func(command *cobra.Command, _ []string) error {
		var ended *login
		err := store.change(func(all *logins) error {
			l, err := all.find(*user, *server)
			if err != nil {
				return err
			}
			if !*local {
				if err := endLogin(command.Context(), l); err != nil {
					return failure{fmt.Errorf("cannot log out: %w; --local forgets the tokens here, and leaves them good", err)}
				}
			}
			ended = l
			all.forget(l)
			return nil
		})
		if err != nil {
			return err
		}
		return write(command.OutOrStdout(), fmt.Appendf(nil, "Logged out of %s, where you were %s.\n", ended.Server, ended.User))
	}
	return command
}

func (s *logins) forget(l *login) {
	key := loginKey(l.User, l.Server)
	delete(s.All, key)
	if s.Current == key {
		s.Current = ""
	}
}

// endLogin ends the session of l at the gateway. One that is over already is none to end.
func endLogin(ctx context.Context, l *login) error {
	client, err := newServerClient(l.Server, l.CA)
	if err != nil {
		return err
	}
	if err := l.refresh(ctx, client); err != nil {
		return ignoreOver(err)
	}
	return ignoreOver(client.logout(ctx, l.Access))
}

// ignoreOver is err, unless it says that the session is over.
func ignoreOver(err error) error {
	var refused *oauthRefusal
	if errors.As(err, &refused) && (refused.status == http.StatusUnauthorized || refused.Code == "invalid_grant" && refused.status == http.StatusBadRequest) {
		return nil
	}
	return err
}

// refresh has l hold an access token that is good for a while. The file of logins is locked.
func (l *login) refresh(ctx context.Context, c *serverClient) error {
	if l.fresh() {
		return nil
	}
	if l.Refresh == "" {
		return &oauthRefusal{status: http.StatusUnauthorized, Description: "the token has expired"}
	}
	now := time.Now()
	t, err := c.token(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {l.Refresh}})
	if err != nil {
		return err
	}
	l.take(t, now)
	return nil
}
