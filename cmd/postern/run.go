package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway"
)

// newRunCommand is `postern run`: the server.
func newRunCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "run",
		Short: "Run the gateway (default)",
		Long: "Run the gateway until SIGINT or SIGTERM, which let requests under way end.\n" +
			"The configuration is --config, /etc/kubesphere/kubesphere.yaml or ./kubesphere.yaml; variables\n" +
			"KUBESPHERE_SECTION_KEY and flags override it. It is read again when it changes, and on SIGHUP.",
		Example: "  postern run --config kubesphere.yaml\n  postern run --set postern.log.format=console",
		Args:    cobra.NoArgs,
	}
	flags := config.BindFlags(command.Flags())
	command.RunE = func(command *cobra.Command, _ []string) error {
		options, err := loadOptions(flags)
		if err != nil {
			return err
		}
		if err := run(command.Context(), options); err != nil {
			return failure{err}
		}
		return nil
	}
	return command
}

// run serves until ctx ends.
func run(ctx context.Context, options config.Options) error {
	// Taken from the first moment to the last: by default SIGHUP would end the process, also in the middle of a drain.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	c, report, err := config.Load(options)
	if err != nil {
		return err
	}
	var watcher *config.Watcher
	g, err := gateway.New(ctx, gateway.Options{
		Config: c, Out: os.Stderr, Compile: compileApart(), Reload: func() config.Status { return watcher.Status() },
	})
	if err != nil {
		return err
	}
	watcher = config.NewWatcher(options, c, report, g.Reload, func(s config.Status) { logReload(g.Log(), s) })
	for _, w := range report.Warnings {
		g.Log().Warn().Msg(w.String())
	}
	g.Log().Info().Str("file", report.File).Msg("configuration loaded")
	group, work := errgroup.WithContext(ctx)
	watching, stop := context.WithCancel(work)
	group.Go(func() error { watcher.Run(watching); return nil })
	group.Go(func() error { onHangup(watching, hangup, watcher); return nil })
	group.Go(func() error {
		defer stop()
		return g.Run(work)
	})
	return group.Wait()
}

// logReload says how a reload went.
func logReload(log *zerolog.Logger, s config.Status) {
	for _, w := range s.Warnings {
		log.Warn().Msg(w.String())
	}
	for _, key := range s.RestartRequired {
		log.Warn().Str("key", key).Msg("changed in the configuration; takes effect with the next start")
	}
	if s.OK {
		log.Info().Str("file", s.File).Strs("changed", s.Changed).Msg("configuration reloaded")
		return
	}
	log.Error().Str("file", s.File).Msg("cannot reload the configuration, the one before it serves: " + s.String())
}

// onHangup reloads on SIGHUP.
func onHangup(ctx context.Context, hangup <-chan os.Signal, w *config.Watcher) {
	for {
		select {
		case <-hangup:
			_ = w.Reload(ctx) // the watcher reports how it went
		case <-ctx.Done():
			return
		}
	}
}
