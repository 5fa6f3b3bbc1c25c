package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/replay"
	"github.com/posternhq/postern/gateway/module/trial"
)

// newModuleRunCommand is `postern module run`: a throw-away gateway with one module.
func newModuleRunCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "run FILE.wasm|DIR",
		Short: "Serve a module on loopback, without a cluster, until Ctrl-C",
		Long: "Serve a module in a throw-away gateway on loopback until Ctrl-C. A folder is compiled first. There is no\n" +
			"authentication: --user asks, and a request may say otherwise with Impersonate-User and Impersonate-Group. What the\n" +
			"module wants is granted as far as there is a backend for it.",
		Example: "  postern module run .\n" +
			"  postern module run greeter.wasm --listen 127.0.0.1:9090 --user alice\n" +
			"  postern module run . --prometheus http://localhost:9091 --backend edge=http://localhost:8080 --kubeconfig ~/.kube/config",
		Args: cobra.ExactArgs(1),
	}
	flags := bindTrial(command.Flags())
	command.Flags().StringVar(&flags.options.Address, "listen", "127.0.0.1:9090", "host:port to listen on; port 0 is a free one")
	output := outputFlag(command, "text", "text or json")
	command.RunE = func(command *cobra.Command, args []string) error {
		if err := checkOutput(*output); err != nil {
			return err
		}
		if err := flags.check(); err != nil {
			return err
		}
		ctx := command.Context()
		// First the module: whoever finds the port open gets its answers.
		wasm, err := moduleOf(ctx, command.ErrOrStderr(), args[0])
		if err != nil {
			return failure{err}
		}
		g, err := flags.start(ctx, command.ErrOrStderr())
		if err != nil {
			return err
		}
		defer func() { _ = g.Close() }()
		gen, err := g.Load(ctx, wasm)
		if err != nil {
			return failure{err}
		}
		if err := printRun(command, *output, g, gen, examples(args[0])); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
	return command
}

// running is what `module run -o json` prints once the module serves. Its keys are a contract.
type running struct {
	URL    string   `json:"url"`
	Module string   `json:"module"`
	Digest string   `json:"digest"`
	Serves []string `json:"serves"` // URLs
}

func printRun(command *cobra.Command, output string, g *trial.Gateway, gen *module.Generation, requests []replay.Request) error {
	r := running{g.URL(), gen.Manifest().Name, gen.Digest(), served(g.URL(), g.Routes())}
	if output == "json" {
		text, err := json.Marshal(r)
		if err != nil {
			return failure{err}
		}
		return write(command.OutOrStdout(), append(text, '\n'))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "module %s (sha256:%s) serves\n", r.Module, r.Digest)
	for _, url := range r.Serves {
		fmt.Fprintf(&b, "  %s\n", url)
	}
	b.WriteString("\ntry:\n")
	for _, request := range requests {
		fmt.Fprintf(&b, "  %s\n", curl(g.URL(), &request))
	}
	if len(requests) == 0 {
		for _, url := range r.Serves {
			fmt.Fprintf(&b, "  curl -i '%s'\n", url)
		}
	}
	b.WriteString("\nCtrl-C ends it.\n")
	return write(command.OutOrStdout(), []byte(b.String()))
}

// examples are some requests of the module's own tests; none when it has none.
func examples(path string) []replay.Request {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return nil
	}
	requests, _ := replay.Load(filepath.Join(path, "tests", "*.http"))
	return requests[:min(len(requests), 5)]
}

// curl is the command line that sends a request.
func curl(base string, r *replay.Request) string {
	words := []string{"curl", "-i"}
	if r.Method != "GET" {
		words = append(words, "-X", r.Method)
	}
	for _, h := range r.Header {
		words = append(words, "-H", quoted(h[0]+": "+h[1]))
	}
	if r.Body != "" {
		words = append(words, "--data-binary", quoted(r.Body))
	}
	return strings.Join(append(words, quoted(base+r.Path)), " ")
}

// quoted is text as one word of a POSIX shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
