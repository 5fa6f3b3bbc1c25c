package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/gateway/core"
	"github.com/posternhq/postern/gateway/module/source"
	"github.com/posternhq/postern/gateway/module/template"
)

// newModuleNewCommand is `postern module new`: a folder that builds and passes its tests as it is.
func newModuleNewCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "new NAME",
		Short: "Make a folder with a new module and its tests",
		Long: "Make a folder in which a new module begins: it answers a few requests, and passes its own tests as it is.\n" +
			"A Go module uses the SDK of the checkout of Postern that --postern names, or that this program or the working\n" +
			"folder lies in; without one, the version that this program is. C, Rust and AssemblyScript get a copy of their SDK,\n" +
			"one file.",
		Example: "  postern module new greeter\n  postern module new greeter --lang rust --group greeter.acme.io --dir modules/greeter",
		Args:    cobra.ExactArgs(1),
	}
	var o template.Options
	flags := command.Flags()
	language := flags.StringP("lang", "l", string(source.Go), "language: "+languages())
	flags.StringVarP(&o.Dir, "dir", "d", "", "folder to make (default: NAME)")
	flags.StringVarP(&o.Group, "group", "g", "", "API group to answer (default: NAME.example.io)")
	flags.StringVar(&o.Checkout, "postern", "", "folder of a checkout of Postern, for a Go module")
	output := outputFlag(command, "text", "text or json")
	_ = command.RegisterFlagCompletionFunc("lang", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return strings.Split(languages(), ", "), cobra.ShellCompDirectiveNoFileComp
	})
	_ = command.MarkFlagDirname("dir")
	_ = command.MarkFlagDirname("postern")
	command.RunE = func(command *cobra.Command, args []string) error {
		if err := checkOutput(*output); err != nil {
			return err
		}
		o.Name, o.Language, o.Version = args[0], source.Language(*language), core.Build().GitVersion
		if !slices.Contains(source.Languages, o.Language) {
			return fmt.Errorf("unknown language %q: want one of %s", *language, languages())
		}
		if o.Dir == "" {
			o.Dir = o.Name
		}
		files, err := template.New(o)
		if err != nil {
			return failure{err}
		}
		return printNew(command, *output, o.Dir, files)
	}
	return command
}

func languages() string {
	names := make([]string, len(source.Languages))
	for i, l := range source.Languages {
		names[i] = string(l)
	}
	return strings.Join(names, ", ")
}

// checkOutput says that output is neither text nor json.
func checkOutput(output string) error {
	if output != "text" && output != "json" {
		return fmt.Errorf("unknown output %q: want text or json", output)
	}
	return nil
}

func printNew(command *cobra.Command, output, dir string, files []string) error {
	if output == "json" {
		text, err := json.MarshalIndent(map[string]any{"dir": dir, "files": files}, "", "  ")
		if err != nil {
			return failure{err}
		}
		return write(command.OutOrStdout(), append(text, '\n'))
	}
	var b strings.Builder
	for _, file := range files {
		fmt.Fprintln(&b, filepath.Join(dir, file))
	}
	b.WriteString("\nnext:\n")
	if slices.Contains(files, "package.json") {
		fmt.Fprintf(&b, "  (cd %s && npm ci)\n", dir)
	}
	if slices.Contains(files, "go.mod") && !slices.Contains(files, "go.sum") {
		fmt.Fprintf(&b, "  (cd %s && go mod tidy)\n", dir)
	}
	fmt.Fprintf(&b, "  postern module test %s\n  postern module run %s\n", dir, dir)
	return write(command.OutOrStdout(), []byte(b.String()))
}
