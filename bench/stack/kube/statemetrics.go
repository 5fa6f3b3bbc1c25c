package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/kube-state-metrics/v2/pkg/app"
	"k8s.io/kube-state-metrics/v2/pkg/options"
)

// stateMetrics runs kube-state-metrics without its reloading of changed files: the supervisor starts it anew instead.
func stateMetrics() int {
	pflag.CommandLine = pflag.NewFlagSet("kube-state-metrics", pflag.ContinueOnError)
	settings := options.NewOptions()
	command := &cobra.Command{
		Use:          "kube-state-metrics",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error {
			if err := settings.Validate(); err != nil {
				return err
			}
			return app.RunKubeStateMetrics(genericapiserver.SetupSignalContext(), settings)
		},
	}
	settings.AddFlags(command)
	if err := command.Execute(); err != nil {
		return fail(err)
	}
	return 0
}
