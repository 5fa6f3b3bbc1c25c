package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/config/crds"
	"github.com/posternhq/postern/gateway/kube"
)

// newCRDsCommand is `postern crds`: prints the definitions of the platform's custom resources, or installs them.
func newCRDsCommand() *cobra.Command {
	command := &cobra.Command{
		Use:     "crds",
		Short:   "Print the custom resource definitions that the platform needs, as one YAML stream",
		Example: "  postern crds | kubectl apply --server-side -f -\n  postern crds install --kubeconfig ~/.kube/config",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return write(command.OutOrStdout(), crdStream())
		},
	}
	command.AddCommand(newCRDsInstallCommand())
	return command
}

// crdStream is every definition, separated as YAML wants it.
func crdStream() []byte {
	var b bytes.Buffer
	for _, f := range crds.Files() {
		b.WriteString("---\n")
		b.Write(f.YAML)
	}
	return b.Bytes()
}

func newCRDsInstallCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "install",
		Short: "Apply the definitions to a cluster and wait until it serves them",
		Long: "Apply the definitions by server-side apply, as field manager postern, and wait until the cluster serves them.\n" +
			"The cluster is that of --kubeconfig, else of $KUBECONFIG, else of the configuration.",
		Example: "  postern crds install --kubeconfig ~/.kube/config",
		Args:    cobra.NoArgs,
	}
	flags := config.BindFlags(command.Flags())
	timeout := command.Flags().Duration("timeout", time.Minute, "give up after this")
	command.RunE = func(command *cobra.Command, _ []string) error {
		options, err := flags.Options()
		if err != nil {
			return err
		}
		kubeconfig := ""
		if !command.Flags().Changed("kubeconfig") {
			kubeconfig = os.Getenv("KUBECONFIG")
		}
		ctx, cancel := context.WithTimeout(command.Context(), *timeout)
		defer cancel()
		err = installCRDs(ctx, options, kubeconfig, func(name string) {
			fmt.Fprintln(command.OutOrStdout(), "customresourcedefinition.apiextensions.k8s.io/"+name+" serverside-applied")
		})
		if err != nil {
			return failure{err}
		}
		return nil
	}
	return command
}

// installCRDs applies the definitions to the cluster of kubeconfig or, if that is empty, of the configuration.
func installCRDs(ctx context.Context, options config.Options, kubeconfig string, done func(name string)) error {
	c, _, err := config.Load(options)
	if err != nil {
		return err
	}
	master := c.Kubernetes.Master
	if kubeconfig == "" {
		kubeconfig = c.Kubernetes.Kubeconfig
	} else {
		master = ""
	}
	cluster, err := clientcmd.BuildConfigFromFlags(master, kubeconfig)
	if err != nil {
		return fmt.Errorf("cannot read how to reach the cluster (kubeconfig %q): %w", kubeconfig, err)
	}
	return kube.InstallCRDs(ctx, cluster, crds.Files(), done)
}
