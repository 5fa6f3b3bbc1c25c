package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	kubectlcmd "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	schedulerapp "k8s.io/kubernetes/cmd/kube-scheduler/app"
	"sigs.k8s.io/kwok/kustomize/metrics/usage"
	nodestages "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	podstages "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	kwokconfig "sigs.k8s.io/kwok/pkg/config"
	kwokcmd "sigs.k8s.io/kwok/pkg/kwok/cmd"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
	metricsapp "sigs.k8s.io/metrics-server/cmd/metrics-server/app"
)

func scheduler() int {
	return cli.Run(schedulerapp.NewSchedulerCommand())
}

func metricsServer() int {
	logs.InitLogs()
	defer logs.FlushLogs()
	return cli.Run(metricsapp.NewMetricsServerCommand(genericapiserver.SetupSignalHandler()))
}

func kubectl() int {
	command := kubectlcmd.NewDefaultKubectlCommand()
	if err := cli.RunNoErrOutput(command); err != nil {
		kubectlutil.CheckErr(err) // prints it kubectl's way and exits with its code
		return 1
	}
	return 0
}

func kwok() int {
	// component-base has registered a --version of its own kind on the global set; kwok wants a plain one.
	pflag.CommandLine = pflag.NewFlagSet("kwok", pflag.ContinueOnError)
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}

	ctx, _ := kwoklog.InitFlags(genericapiserver.SetupSignalContext(), flags)
	ctx, err := kwokconfig.InitFlags(ctx, flags)
	if err != nil {
		return fail(err)
	}
	command := kwokcmd.NewCommand(ctx)
	command.PersistentFlags().AddFlagSet(flags)
	if err := command.ExecuteContext(ctx); err != nil {
		return fail(err)
	}
	return 0
}

// kwokDefaults prints the stages and the usage rule that the linked kwok carries itself. A configuration file takes kwok's
// defaults away, so the supervisor passes these back beside its own file, always of the right version.
func kwokDefaults() int {
	documents := []string{
		nodestages.DefaultNodeInit,
		podstages.DefaultPodReady,
		podstages.DefaultPodComplete,
		podstages.DefaultPodDelete,
		usage.DefaultUsageFromAnnotation,
	}
	if _, err := fmt.Fprintln(os.Stdout, strings.Join(documents, "\n---\n")); err != nil {
		return fail(err)
	}
	return 0
}
