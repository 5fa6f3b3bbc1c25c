package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/gateway/module/replay"
	"github.com/posternhq/postern/gateway/module/source"
	"github.com/posternhq/postern/gateway/module/trial"
)

// newModuleWatchCommand is `postern module watch`: rebuild, swap, ask again, show what changed.
func newModuleWatchCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "watch DIR",
		Short: "Rebuild a module whenever a file changes, and show how its answers change",
		Long: "Serve the module in DIR as `postern module run` does. Whenever one of its files changes, compile it, swap it in,\n" +
			"send the requests of --replay again and show how the answers differ from those before. A module that does not\n" +
			"compile leaves the one before it serving. Ctrl-C ends it; --once ends it after the first round, with exit code 1 when\n" +
			"an expectation failed. With -o json each round is one line of JSON.",
		Example: "  postern module watch .\n  postern module watch . --replay requests.http --user alice",
		Args:    cobra.ExactArgs(1),
	}
	flags := bindTrial(command.Flags())
	command.Flags().StringVar(&flags.options.Address, "listen", "127.0.0.1:0", "host:port to listen on; port 0 is a free one")
	requests := command.Flags().StringSlice("replay", nil, "files of requests (default: tests/*.http in DIR)")
	once := command.Flags().Bool("once", false, "end after the first round")
	output := outputFlag(command, "text", "text or json")
	command.RunE = func(command *cobra.Command, args []string) error {
		if err := checkOutput(*output); err != nil {
			return err
		}
		g, err := flags.start(command.Context(), command.ErrOrStderr())
		if err != nil {
			return err
		}
		defer func() { _ = g.Close() }()
		w := &watch{
			dir: args[0], requests: *requests, gateway: g, client: replay.Client(), json: *output == "json",
			out: command.OutOrStdout(), progress: command.ErrOrStderr(),
		}
		defer w.client.CloseIdleConnections()
		if len(w.requests) == 0 {
			w.requests = []string{filepath.Join(args[0], "tests", "*.http")}
		}
		return w.run(command.Context(), *once)
	}
	return command
}

// watch is one run of the command.
type watch struct {
	dir      string
	requests []string
	gateway  *trial.Gateway
	client   *http.Client
	json     bool
	out      io.Writer
	progress io.Writer
	last     map[string]replay.Answer // by the request's name
	rounds   int
}

// round is one line of `module watch -o json`. Its keys are a contract.
type round struct {
	Round    int           `json:"round"`
	OK       bool          `json:"ok"`
	Error    string        `json:"error,omitempty"` // why there is no new module
	Digest   string        `json:"digest,omitempty"`
	Requests []watchedCase `json:"requests"`
}

// watchedCase is a request of a round; Diff is how its answer differs from that of the round before.
type watchedCase struct {
	testedCase
	Diff []string `json:"diff,omitempty"`
}

func (w *watch) run(ctx context.Context, once bool) error {
	changes, err := source.Watch(ctx, w.dir, w.requests)
	if err != nil {
		return failure{err}
	}
	for {
		r := w.round(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := w.print(r); err != nil {
			return err
		}
		switch {
		case once && r.OK:
			return nil
		case once:
			return errReported
		}
		select {
		case _, open := <-changes:
			if !open {
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// round compiles, swaps and replays.
func (w *watch) round(ctx context.Context) *round {
	w.rounds++
	r := &round{Round: w.rounds, Requests: []watchedCase{}}
	requests, err := replay.Load(w.requests...)
	if err == nil {
		err = w.swap(ctx, r)
	}
	if err != nil {
		r.Error = err.Error()
		return r
	}
	r.OK = true
	answers := map[string]replay.Answer{}
	for i := range requests {
		c := w.ask(ctx, &requests[i], answers)
		r.OK = r.OK && c.OK
		r.Requests = append(r.Requests, c)
	}
	w.last = answers
	return r
}

func (w *watch) swap(ctx context.Context, r *round) error {
	wasm, err := compile(ctx, w.progress, w.dir)
	if err != nil {
		return err
	}
	gen, err := w.gateway.Load(ctx, wasm)
	if err != nil {
		return err
	}
	r.Digest = gen.Digest()
	return nil
}

func (w *watch) ask(ctx context.Context, request *replay.Request, answers map[string]replay.Answer) watchedCase {
	start := time.Now()
	a, err := request.Send(ctx, w.client, w.gateway.URL())
	c := watchedCase{testedCase: judge(request, a, err, time.Since(start))}
	if err != nil {
		return c
	}
	answers[request.Name] = a
	if before, ok := w.last[request.Name]; ok {
		c.Diff = replay.Diff(before, a)
	}
	return c
}

func (w *watch) print(r *round) error {
	if w.json {
		text, err := json.Marshal(r)
		if err != nil {
			return failure{err}
		}
		return write(w.out, append(text, '\n'))
	}
	var b strings.Builder
	if r.Error != "" {
		fmt.Fprintf(&b, "FAIL  round %d: %s\n", r.Round, r.Error)
	}
	for _, c := range r.Requests {
		fmt.Fprintf(&b, "%s  %s (%d, %.1f ms)\n", verdict(c.OK), c.Name, c.Status, c.Milliseconds)
		for _, wrong := range c.Wrong {
			fmt.Fprintf(&b, "      %s\n", wrong)
		}
		for _, line := range c.Diff {
			fmt.Fprintf(&b, "      %s\n", line)
		}
	}
	if r.Digest != "" {
		fmt.Fprintf(&b, "%s  round %d: sha256:%s serves at %s\n", verdict(r.OK), r.Round, r.Digest, w.gateway.URL())
	}
	return write(w.out, []byte(b.String()))
}
