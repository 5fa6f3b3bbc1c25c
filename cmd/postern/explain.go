package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway"
	"github.com/posternhq/postern/gateway/exchange"
)

// explainCommand returns `postern explain`.
func explainCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "explain METHOD PATH",
		Short: "Say what every stage would do with a request, without sending it",
		Long: "Say what the gateway reads in a request and what each stage of the chain would do with it, up to the one\n" +
			"that answers or refuses. Nothing is sent. Without --as no cluster is needed; with it, the user's roles are\n" +
			"read from the cluster of the configuration. The exit code is 0 also for a request that would be refused.",
		Example: "  postern explain get /api/v1/namespaces/default/pods\n" +
			"  postern explain DELETE '/apis/apps/v1/namespaces/default/deployments?labelSelector=a%3Db' --as alice -o json",
		Args: cobra.ExactArgs(2),
	}
	flags := config.BindFlags(command.Flags())
	output := outputFlag(command, "text", "text or json")
	user := command.Flags().String("as", "", "name of the user who asks (default: nobody in particular)")
	command.RunE = func(command *cobra.Command, args []string) error {
		request := gateway.ExplainRequest{Method: strings.ToUpper(args[0]), Path: args[1], User: *user}
		if err := checkExplain(request, *output); err != nil {
			return err
		}
		c, err := explainConfig(command.Flags(), flags)
		if err != nil {
			return err
		}
		findings, info, err := gateway.Explain(command.Context(), c, request)
		if err != nil {
			return failure{err}
		}
		if err := newExplanation(findings, info).print(command.OutOrStdout(), *output); err != nil {
			return failure{fmt.Errorf("cannot write: %w", err)}
		}
		return nil
	}
	return command
}

// explainConfig reads the configuration if anything depends on it: with a flag other than --output.
func explainConfig(set *pflag.FlagSet, flags *config.Flags) (*config.Config, error) {
	needed := false
	set.Visit(func(f *pflag.Flag) { needed = needed || f.Name != "output" })
	if !needed {
		return config.Default(), nil
	}
	options, err := loadOptions(flags)
	if err != nil {
		return nil, err
	}
	c, _, err := config.Load(options)
	if err != nil {
		return nil, failure{err}
	}
	return c, nil
}

// checkExplain is an error for what is no request at all. Odd paths are left to the chain: it says what is wrong.
func checkExplain(r gateway.ExplainRequest, output string) error {
	if output != "text" && output != "json" {
		return fmt.Errorf("unknown output %q: want text or json", output)
	}
	if _, err := http.NewRequest(r.Method, "/", nil); err != nil || r.Method == "" {
		return fmt.Errorf("%q is no HTTP method", r.Method)
	}
	if !strings.HasPrefix(r.Path, "/") {
		return errors.New("the path must begin with /, and have neither scheme nor host")
	}
	return nil
}

// explanation is what `explain -o json` prints. Its keys are a contract.
type explanation struct {
	RequestInfo exchange.RequestInfo `json:"requestInfo"`
	Stages      []exchange.Finding   `json:"stages"`
	Verdict     exchange.Verdict     `json:"verdict"` // of the last stage that was asked
	Code        int                  `json:"code"`    // HTTP status of the refusal, else 200
}

func newExplanation(findings []exchange.Finding, info exchange.RequestInfo) explanation {
	e := explanation{RequestInfo: info, Stages: findings, Verdict: exchange.Pass, Code: http.StatusOK}
	if len(findings) > 0 {
		last := findings[len(findings)-1]
		e.Verdict = last.Verdict
		if last.Code != 0 {
			e.Code = last.Code
		}
	}
	return e
}

func (e explanation) print(w io.Writer, output string) error {
	if output == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(e)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range infoFields(e.RequestInfo) {
		if f.value != "" {
			fmt.Fprintf(t, "%s\t%s\n", f.key, f.value)
		}
	}
	fmt.Fprintln(t)
	for _, f := range e.Stages {
		fmt.Fprintf(t, "%s\t%s\t%s\n", f.Stage, f.Verdict, f.Reason)
		for _, key := range slices.Sorted(maps.Keys(f.Details)) {
			printDetail(t, key, f.Details[key])
		}
	}
	fmt.Fprintf(t, "\nverdict\t%s\t%d\n", e.Verdict, e.Code)
	return t.Flush()
}

// printDetail prints one detail; sentences get a line each.
func printDetail(w io.Writer, key string, value any) {
	list, ok := value.([]string)
	if !ok || !slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, " ") }) {
		fmt.Fprintf(w, "\t\t  %s: %v\n", key, value)
		return
	}
	fmt.Fprintf(w, "\t\t  %s:\n", key)
	for _, line := range list {
		fmt.Fprintf(w, "\t\t    %s\n", line)
	}
}

// infoFields are the request info's fields as text, in the order of a path.
func infoFields(i exchange.RequestInfo) []struct{ key, value string } {
	return []struct{ key, value string }{
		{"path", i.Path},
		{"verb", i.Verb},
		{"apiPrefix", i.APIPrefix},
		{"cluster", i.Cluster},
		{"apiGroup", i.APIGroup},
		{"apiVersion", i.APIVersion},
		{"workspace", i.Workspace},
		{"namespace", i.Namespace},
		{"devops", i.DevOps},
		{"resource", i.Resource},
		{"name", i.Name},
		{"subresource", i.Subresource},
		{"labelSelector", i.LabelSelector},
		{"fieldSelector", i.FieldSelector},
		{"scope", i.Scope.String()},
		{"isResourceRequest", strconv.FormatBool(i.IsResourceRequest)},
		{"isKubernetesRequest", strconv.FormatBool(i.IsKubernetesRequest)},
	}
}
