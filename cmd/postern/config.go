package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway"
)

// newConfigCommand returns `postern config` with check, print and schema.
func newConfigCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "config",
		Short: "Check and print the configuration",
		Args:  cobra.NoArgs,
		RunE:  func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(newConfigCheckCommand(), newConfigPrintCommand(), newConfigSchemaCommand())
	return command
}

func newConfigCheckCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Read the configuration as run does, and say what is wrong or odd",
		Long: "Read the configuration as run does: file, KUBESPHERE_* variables, flags.\n" +
			"Exit code 0: it can be used, perhaps with warnings; 1: it cannot; 2: wrong usage.",
		Example: "  postern config check kubesphere.yaml\n  postern config check --strict -o json config/examples/minimal.yaml",
		Args:    cobra.MaximumNArgs(1),
	}
	flags := config.BindFlags(command.Flags())
	output := outputFlag(command, "text", "text or json")
	command.RunE = func(command *cobra.Command, args []string) error {
		if *output != "text" && *output != "json" {
			return fmt.Errorf("unknown output %q: want text or json", *output)
		}
		options, err := loadOptions(flags)
		if err != nil {
			return err
		}
		if len(args) == 1 {
			options.File = args[0]
		}
		_, report, err := config.Load(options)
		result := newCheckResult(report, err)
		if err := result.print(command.OutOrStdout(), *output); err != nil {
			return failure{err}
		}
		if !result.OK {
			return errReported
		}
		return nil
	}
	return command
}

func newConfigPrintCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "print",
		Short: "Print every key with its value, secrets masked",
		Long: "Print the configuration that run would use: file, KUBESPHERE_* variables, flags.\n" +
			"Secrets are masked; all else can be loaded again.",
		Example: "  postern config print --config kubesphere.yaml\n  postern config print --defaults",
		Args:    cobra.NoArgs,
	}
	flags := config.BindFlags(command.Flags())
	output := outputFlag(command, "yaml", "yaml or json")
	defaults := command.Flags().Bool("defaults", false, "print the defaults, with what each key means")
	command.RunE = func(command *cobra.Command, _ []string) error {
		if *output != "yaml" && *output != "json" {
			return fmt.Errorf("unknown output %q: want yaml or json", *output)
		}
		c := config.Default()
		if !*defaults {
			options, err := flags.Options()
			if err != nil {
				return err
			}
			if c, _, err = config.Load(options); err != nil {
				return failure{err}
			}
		}
		text := c.YAML(*defaults)
		if *output == "json" {
			var err error
			if text, err = json.MarshalIndent(c, "", "  "); err != nil {
				return failure{err}
			}
			text = append(text, '\n')
		}
		return write(command.OutOrStdout(), text)
	}
	return command
}

func newConfigSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of kubesphere.yaml, for editors",
		Example: "  postern config schema > kubesphere.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			text, err := config.Schema(gateway.FilterKinds()...)
			if err != nil {
				return failure{err}
			}
			return write(command.OutOrStdout(), text)
		},
	}
}

func outputFlag(command *cobra.Command, standard, usage string) *string {
	return command.Flags().StringP("output", "o", standard, usage)
}

func write(w io.Writer, text []byte) error {
	if _, err := w.Write(text); err != nil {
		return failure{fmt.Errorf("cannot write: %w", err)}
	}
	return nil
}

// checkResult is what `config check -o json` prints. Its keys are a contract.
type checkResult struct {
	OK       bool           `json:"ok"`
	File     string         `json:"file"`
	Errors   []checkProblem `json:"errors"`
	Warnings []checkProblem `json:"warnings"`
}

type checkProblem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Key     string `json:"key,omitempty"`
	Message string `json:"message"`
	Nearest string `json:"nearest,omitempty"`

	text string
}

func newCheckResult(report config.Report, err error) checkResult {
	r := checkResult{OK: err == nil, File: report.File, Errors: []checkProblem{}, Warnings: []checkProblem{}}
	for _, p := range report.Warnings {
		r.Warnings = append(r.Warnings, newCheckProblem(p))
	}
	var problems config.Errors
	switch {
	case errors.As(err, &problems):
		for _, p := range problems {
			r.Errors = append(r.Errors, newCheckProblem(p))
		}
	case err != nil:
		r.Errors = append(r.Errors, checkProblem{Message: err.Error(), text: err.Error()})
	}
	return r
}

func newCheckProblem(p config.Problem) checkProblem {
	text := p.String()
	if p.Excerpt != "" {
		text += "\n" + p.Excerpt
	}
	return checkProblem{p.File, p.Line, p.Column, p.Key, p.Message, p.Nearest, text}
}

func (r checkResult) print(w io.Writer, output string) error {
	if output == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(r)
	}
	for _, p := range r.Errors {
		fmt.Fprintln(w, "error:", p.text)
	}
	for _, p := range r.Warnings {
		fmt.Fprintln(w, "warning:", p.text)
	}
	_, err := fmt.Fprintf(w, "%d errors, %d warnings\n", len(r.Errors), len(r.Warnings))
	return err
}
