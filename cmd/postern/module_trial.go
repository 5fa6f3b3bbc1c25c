package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/source"
	"github.com/posternhq/postern/gateway/module/trial"
	"github.com/posternhq/postern/gateway/telemetry"
)

// trialFlags are what test, run and watch have in common: who asks, and what the module may reach.
type trialFlags struct {
	user     *string
	groups   *[]string
	settings *string
	backends *map[string]string
	options  trial.Options
}

func bindTrial(flags *pflag.FlagSet) *trialFlags {
	f := new(trialFlags)
	f.user = flags.String("user", "anonymous", "who asks, unless a request has Impersonate-User")
	f.groups = flags.StringSlice("user-group", nil, "groups of who asks; may repeat")
	f.settings = flags.String("settings", "", "the module's settings, as JSON")
	flags.StringVar(&f.options.Backends.Kubeconfig, "kubeconfig", "", "cluster that the module's calls reach, with that file's rights")
	flags.StringVar(&f.options.Backends.Prometheus, "prometheus", "", "URL of the Prometheus that the module's questions reach")
	f.backends = flags.StringToString("backend", nil, "NAME=URL of an HTTP backend; may repeat")
	flags.BoolVar(&f.options.GrantAll, "grant-all", false, "grant what the module wants also where no backend is given; such calls fail")
	return f
}

// check says what is wrong with the flags.
func (f *trialFlags) check() error {
	if *f.settings != "" && !json.Valid([]byte(*f.settings)) {
		return fmt.Errorf("--settings is not JSON: %s", *f.settings)
	}
	return nil
}

// start starts a throw-away gateway.
func (f *trialFlags) start(ctx context.Context, log io.Writer) (*trial.Gateway, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	o := f.options
	o.User, o.Backends.HTTP = exchange.User{Name: *f.user, Groups: *f.groups}, *f.backends
	if *f.settings != "" {
		o.Settings = json.RawMessage(*f.settings)
	}
	o.Log = telemetry.NewLogger(log, "console").Level(zerolog.InfoLevel)
	g, err := trial.New(ctx, o)
	if err != nil {
		return nil, failure{err}
	}
	return g, nil
}

// moduleOf is the bytes of a .wasm file, or of what a folder compiles to.
func moduleOf(ctx context.Context, progress io.Writer, path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot find the module: %w", err)
	}
	if info.IsDir() {
		return compile(ctx, progress, path)
	}
	wasm, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the module: %w", err)
	}
	return wasm, nil
}

// compile builds the module in dir and shows on a terminal that it takes its time.
func compile(ctx context.Context, progress io.Writer, dir string) ([]byte, error) {
	defer working(progress, "compiling "+dir)()
	return source.Build(ctx, dir)
}

// working shows on a terminal what is being done and for how long, until the function that it returns is called. Nothing is
// written elsewhere.
func working(w io.Writer, what string) (done func()) {
	if !isTerminal(w) {
		return func() {}
	}
	start, stop, ended := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				fmt.Fprint(w, "\r\x1b[K")
				return
			case <-tick.C:
				fmt.Fprintf(w, "\r\x1b[K%s … %.1f s", what, time.Since(start).Seconds())
			}
		}
	}()
	return func() {
		close(stop)
		<-ended
	}
}

// isTerminal says whether a person may be watching w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// served are the URLs' beginnings that a module answers below base.
func served(base string, routes []string) []string {
	all := make([]string, len(routes))
	for i, route := range routes {
		all[i] = base + "/kapis/" + strings.TrimSuffix(route, "/") + "/"
	}
	return all
}
