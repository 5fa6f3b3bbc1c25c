package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1"
)

// Versions of ExecCredential that clients may ask for; they are the same but for their name.
const (
	credentialV1      = "client.authentication.k8s.io/v1"
	credentialV1beta1 = "client.authentication.k8s.io/v1beta1"
)

// newCredentialCommand is `postern credential`, which kubectl runs.
func newCredentialCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "credential",
		Short: "Print the token of a login, for kubectl",
		Long: "Print a token as kubectl and other clients of Kubernetes take it from a program (ExecCredential). It is refreshed before,\n" +
			"if it is about to expire. `postern kubeconfig` writes a kubeconfig that runs this command.",
		Example: "  postern credential --server https://gateway.example.com -u alice\n" +
			"  curl -H \"Authorization: Bearer $(postern credential --token)\" https://gateway.example.com/api/v1/namespaces",
		Args: cobra.NoArgs,
	}
	store := loginFlag(command)
	server := command.Flags().String("server", "", "URL of the gateway (default: that of the last login)")
	user := command.Flags().StringP("user", "u", "", "whose login (default: the last one)")
	bare := command.Flags().Bool("token", false, "print the token alone")
	command.RunE = func(command *cobra.Command, _ []string) error {
		version, err := credentialVersion(os.Getenv("KUBERNETES_EXEC_INFO"))
		if err != nil {
			return failure{err}
		}
		l, err := freshLogin(command.Context(), store, *user, *server)
		if err != nil {
			return err
		}
		if *bare {
			return write(command.OutOrStdout(), []byte(l.Access+"\n"))
		}
		text, err := execCredential(l, version)
		if err != nil {
			return failure{err}
		}
		return write(command.OutOrStdout(), text)
	}
	return command
}

// credentialVersion is the version that the client asks for in info, a JSON ExecCredential. Without one it is v1.
func credentialVersion(info string) (string, error) {
	if info == "" {
		return credentialV1, nil
	}
	var asked metav1.TypeMeta
	if err := json.Unmarshal([]byte(info), &asked); err != nil {
		return "", fmt.Errorf("cannot read KUBERNETES_EXEC_INFO: %w", err)
	}
	if asked.APIVersion != credentialV1 && asked.APIVersion != credentialV1beta1 {
		return "", fmt.Errorf("cannot answer with a credential of version %q: want %s", asked.APIVersion, credentialV1)
	}
	return asked.APIVersion, nil
}

// execCredential is what kubectl reads.
func execCredential(l *login, version string) ([]byte, error) {
	c := clientauthentication.ExecCredential{
		TypeMeta: metav1.TypeMeta{Kind: "ExecCredential", APIVersion: version},
		Status:   &clientauthentication.ExecCredentialStatus{Token: l.Access},
	}
	if !l.Expires.IsZero() {
		over := metav1.NewTime(l.Expires.Add(-early))
		c.Status.ExpirationTimestamp = &over
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("cannot write the credential: %w", err)
	}
	return append(text, '\n'), nil
}

// freshLogin is a login with a token that is good for a while. Of several processes at once one refreshes it.
func freshLogin(ctx context.Context, store loginStore, user, server string) (*login, error) {
	all, err := store.read()
	if err != nil {
		return nil, err
	}
	l, err := all.find(user, server)
	if err != nil || l.fresh() {
		return l, err
	}
	err = store.change(func(all *logins) (err error) {
		if l, err = all.find(user, server); err != nil {
			return err
		}
		client, err := newServerClient(l.Server, l.CA)
		if err != nil {
			return failure{err}
		}
		err = l.refresh(ctx, client)
		if err != nil && ignoreOver(err) == nil {
			l.Access, l.Refresh = "", ""
			return failure{fmt.Errorf("the login of %s is over (%w): run `postern login %s -u %s`", l.User, err, l.Server, l.User)}
		}
		if err != nil {
			return failure{fmt.Errorf("cannot refresh the login of %s: %w", l.User, err)}
		}
		return nil
	})
	return l, err
}
