package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/gateway/module/manager"
	"github.com/posternhq/postern/gateway/module/manifest"
)

// newModuleOperateCommands are the commands that change what a running gateway serves.
func newModuleOperateCommands() []*cobra.Command {
	return []*cobra.Command{
		newModuleLoadCommand(), newModuleRollbackCommand(),
		operateCommand("disable", "Keep a module from being served", "Have a module not be served until it is enabled again, over restarts too.\nIts file and its history stay.", http.MethodPost, "/disable"),
		operateCommand("enable", "Have a disabled module served again", "Have a disabled module served again, and wait until it is.", http.MethodPost, "/enable"),
		operateCommand("promote", "End a rollout in favour of the new version", "End a rollout in favour of the new version, whatever its rule would say.", http.MethodPost, "/promote"),
		operateCommand("abort", "End a rollout in favour of the version before", "End a rollout in favour of the version that served before.\nThe new one is not tried again until it is loaded by name.", http.MethodPost, "/abort"),
		operateCommand("delete", "Remove a module, its file and its history", "Remove a module: its file, and the versions of it that were kept.", http.MethodDelete, ""),
	}
}

// operateCommand is `postern module VERB NAME`.
func operateCommand(verb, short, long, method, rest string) *cobra.Command {
	command := &cobra.Command{
		Use: verb + " NAME", Short: short, Long: long,
		Example: "  postern module " + verb + " hello\n  postern module " + verb + " hello --admin 127.0.0.1:9091 -o json",
		Args:    cobra.ExactArgs(1),
	}
	client, output := adminFlags(command), outputFlag(command, "text", "text or json")
	command.ValidArgsFunction = client.complete
	command.RunE = func(command *cobra.Command, args []string) error {
		return client.operate(command, *output, method, modulePath(args[0], rest), nil)
	}
	return command
}

func newModuleLoadCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "load FILE.wasm",
		Short: "Have a running gateway serve a module",
		Long: "Send a module to a running gateway and wait until it serves. The gateway puts it into its folder of modules,\n" +
			"in the place of the version before, which is kept to roll back to. A module that cannot be loaded changes nothing:\n" +
			"every reason is printed, a missing grant above all.",
		Example: "  postern module load hello.wasm\n  postern module load hello.wasm --name hello-next",
		Args:    cobra.ExactArgs(1),
	}
	client, output := adminFlags(command), outputFlag(command, "text", "text or json")
	name := command.Flags().String("name", "", "name of the module's file in the gateway's folder, without .wasm (default: the name in its manifest)")
	command.RunE = func(command *cobra.Command, args []string) error {
		wasm, err := readModule(args[0])
		if err != nil {
			return failure{err}
		}
		if *name == "" {
			about, err := manifest.Of(wasm)
			if err != nil {
				return failure{fmt.Errorf("%q: %w", args[0], err)}
			}
			*name = about.Name
		}
		return client.operate(command, *output, http.MethodPut, modulePath(*name, ""), wasm)
	}
	return command
}

func newModuleRollbackCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "rollback NAME",
		Short: "Have the version of a module that served before serve again",
		Long: "Have an earlier version of a module serve again: the one that served before and is not known to be broken,\n" +
			"or the one with --digest. `postern module show NAME` lists them.",
		Example: "  postern module rollback hello\n  postern module rollback hello --digest 3f2a91",
		Args:    cobra.ExactArgs(1),
	}
	client, output := adminFlags(command), outputFlag(command, "text", "text or json")
	digest := command.Flags().String("digest", "", "the version to go back to; its first 6 characters are enough")
	command.ValidArgsFunction = client.complete
	command.RunE = func(command *cobra.Command, args []string) error {
		rest := "/rollback"
		if *digest != "" {
			rest += "?digest=" + url.QueryEscape(*digest)
		}
		return client.operate(command, *output, http.MethodPost, modulePath(args[0], rest), nil)
	}
	return command
}

// operate asks for a change and prints what the gateway says of it.
func (c *adminClient) operate(command *cobra.Command, output, method, path string, body []byte) error {
	if output != "text" && output != "json" {
		return fmt.Errorf("unknown output %q: want text or json", output)
	}
	text, err := c.ask(command.Context(), operationTimeout, method, path, body)
	if err != nil {
		return err
	}
	if output == "json" {
		return write(command.OutOrStdout(), text)
	}
	var a manager.Answer
	if err := c.decode(text, &a); err != nil {
		return err
	}
	return write(command.OutOrStdout(), []byte(sentence(&a)+"\n"))
}

// sentence says what has changed.
func sentence(a *manager.Answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", a.Module, a.Action)
	if a.Digest == "" {
		b.WriteString(": nothing serves")
	} else {
		fmt.Fprintf(&b, ": %.12s (version %s) serves %s", a.Digest, a.Version, strings.Join(a.Serves, ", "))
	}
	if a.Previous != "" && a.Previous != a.Digest {
		fmt.Fprintf(&b, "; before: %.12s", a.Previous)
	}
	if a.Candidate != "" {
		fmt.Fprintf(&b, "; beside it %.12s is tried: see `postern module show %s`", a.Candidate, a.Module)
	}
	return b.String()
}
