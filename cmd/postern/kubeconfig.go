package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// kubeconfigFlags are the flags of `postern kubeconfig`.
type kubeconfigFlags struct {
	store             loginStore
	server, ca, file  *string
	namespace         *string
	merge, embed, not *bool
}

// newKubeconfigCommand is `postern kubeconfig`.
func newKubeconfigCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "kubeconfig [USER]",
		Short: "Print or write a kubeconfig that goes through the gateway",
		Long: "Print a kubeconfig with which kubectl goes through the gateway, as USER or as who has logged in last. It holds no secret: kubectl\n" +
			"runs `postern credential`, which refreshes the tokens of `postern login`. With --merge or -o it becomes part of a file, whose other\n" +
			"entries stay, and its current context.",
		Example: "  postern login https://gateway.example.com -u alice && postern kubeconfig --merge && kubectl get namespaces\n" +
			"  postern kubeconfig alice -o gateway.kubeconfig\n  postern kubeconfig --embed-token >two-hours.kubeconfig",
		Args: cobra.MaximumNArgs(1),
	}
	f := command.Flags()
	flags := &kubeconfigFlags{
		store:     loginFlag(command),
		server:    f.String("server", "", "URL of the gateway (default: that of the login)"),
		ca:        f.String("ca", "", "PEM file with the certificate authority of the gateway (default: that of the login)"),
		file:      f.StringP("output", "o", "", "file to merge it into; it is made if it is not there"),
		namespace: f.StringP("namespace", "n", "", "namespace of the context"),
		merge:     f.Bool("merge", false, "merge it into kubectl's own file: the first of $KUBECONFIG, or ~/.kube/config"),
		embed:     f.Bool("embed-token", false, "put the access token into it, which ends when it expires, for machines without postern"),
		not:       f.Bool("keep-context", false, "leave the file's current context as it is"),
	}
	command.RunE = func(command *cobra.Command, args []string) error {
		if *flags.merge && *flags.file != "" {
			return errors.New("--merge and --output: one file, please")
		}
		l, err := flags.login(command, args)
		if err != nil {
			return err
		}
		config, err := flags.kubeconfig(l)
		if err != nil {
			return err
		}
		if !*flags.merge && *flags.file == "" {
			text, err := clientcmd.Write(*config)
			if err != nil {
				return failure{fmt.Errorf("cannot write the kubeconfig: %w", err)}
			}
			return write(command.OutOrStdout(), text)
		}
		path, err := flags.write(config)
		if err != nil {
			return err
		}
		return write(command.OutOrStdout(), fmt.Appendf(nil, "Context %q is in %s.\n", config.CurrentContext, path))
	}
	return command
}

// login is that of the user: with a good token if that is to be embedded. Who has not logged in yet may do so later.
func (f *kubeconfigFlags) login(command *cobra.Command, args []string) (*login, error) {
	user := ""
	if len(args) == 1 {
		user = args[0]
	}
	server := *f.server
	if server != "" {
		var err error
		if server, err = serverURL(server, true); err != nil {
			return nil, err
		}
	}
	if *f.embed {
		return freshLogin(command.Context(), f.store, user, server)
	}
	all, err := f.store.read()
	if err != nil {
		return nil, err
	}
	l, err := all.find(user, server)
	if err == nil || user == "" {
		return l, err
	}
	if server == "" {
		if current := all.All[all.Current]; current != nil {
			return &login{Server: current.Server, CA: current.CA, User: user}, nil
		}
		return nil, err
	}
	return &login{Server: server, User: user}, nil
}

// kubeconfig is one context, with its cluster and its user.
func (f *kubeconfigFlags) kubeconfig(l *login) (*api.Config, error) {
	if !strings.HasPrefix(l.Server, "https://") {
		return nil, failure{fmt.Errorf("cannot make a kubeconfig for %s: kubectl sends credentials over https alone; log in at the gateway's https URL (postern.listen.tls)", l.Server)}
	}
	cluster, user := api.NewCluster(), api.NewAuthInfo()
	cluster.Server, cluster.CertificateAuthorityData = l.Server, l.CA
	if *f.ca != "" {
		text, err := os.ReadFile(*f.ca)
		if err != nil {
			return nil, failure{fmt.Errorf("cannot read the certificate authority: %w", err)}
		}
		cluster.CertificateAuthorityData = text
	}
	if *f.embed {
		user.Token = l.Access
	} else {
		exec, err := f.exec(l)
		if err != nil {
			return nil, err
		}
		user.Exec = exec
	}
	host, err := url.Parse(l.Server)
	if err != nil {
		return nil, failure{fmt.Errorf("cannot read the URL of the login: %w", err)}
	}
	name := "postern-" + host.Host
	context := api.NewContext()
	context.Cluster, context.AuthInfo, context.Namespace = name, l.User+"@"+name, *f.namespace
	config := api.NewConfig()
	config.Clusters[name], config.AuthInfos[context.AuthInfo], config.Contexts[context.AuthInfo] = cluster, user, context
	config.CurrentContext = context.AuthInfo
	return config, nil
}

// exec has kubectl run this program.
func (f *kubeconfigFlags) exec(l *login) (*api.ExecConfig, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, failure{fmt.Errorf("cannot tell where this program is: %w", err)}
	}
	args := []string{"credential", "--server", l.Server, "--user", l.User}
	if *f.store.path != "" {
		path, err := f.store.file()
		if err != nil {
			return nil, err
		}
		args = append(args, "--login-file", path)
	}
	return &api.ExecConfig{
		APIVersion: credentialV1, Command: self, Args: args, InteractiveMode: api.NeverExecInteractiveMode,
		InstallHint: "postern, which is to refresh the login, is not where it was: run `postern kubeconfig --merge` again",
	}, nil
}

// write merges config into the file, and says which.
func (f *kubeconfigFlags) write(config *api.Config) (string, error) {
	path := *f.file
	if *f.merge {
		path = clientcmd.NewDefaultPathOptions().GetDefaultFilename()
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", failure{fmt.Errorf("cannot write the kubeconfig: %w", err)}
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // a link stays one
	}
	merged, err := clientcmd.LoadFromFile(path)
	mode := os.FileMode(0o600)
	switch {
	case errors.Is(err, os.ErrNotExist):
		merged = api.NewConfig()
	case err != nil:
		return "", failure{fmt.Errorf("cannot merge into %q: %w", path, err)}
	default:
		if info, err := os.Stat(path); err == nil {
			mode = info.Mode().Perm()
		}
	}
	for name := range config.Contexts {
		merged.Contexts[name] = config.Contexts[name]
		merged.AuthInfos[name] = config.AuthInfos[name]
	}
	for name := range config.Clusters {
		merged.Clusters[name] = config.Clusters[name]
	}
	if !*f.not || merged.CurrentContext == "" {
		merged.CurrentContext = config.CurrentContext
	}
	text, err := clientcmd.Write(*merged)
	if err != nil {
		return "", failure{fmt.Errorf("cannot write the kubeconfig: %w", err)}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", failure{fmt.Errorf("cannot write the kubeconfig: %w", err)}
	}
	return path, replaceFile(path, text, mode)
}
