package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/gateway/module"
)

// maxLogLine bounds one line of a module's log, bytes.
const maxLogLine = 1 << 20

func newModuleLogsCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "logs NAME",
		Short: "Print what a module has logged",
		Long: "Print the last lines that a module has logged, and what the gateway says of it: at most 200, of all versions that\n" +
			"have run since the gateway started. With -f, those to come as well, until Ctrl-C.",
		Example: "  postern module logs hello\n  postern module logs hello -f -o json",
		Args:    cobra.ExactArgs(1),
	}
	client, output := adminFlags(command), outputFlag(command, "text", "text or json: one object a line")
	follow := command.Flags().BoolP("follow", "f", false, "go on with the lines to come")
	command.ValidArgsFunction = client.complete
	command.RunE = func(command *cobra.Command, args []string) error {
		if *output != "text" && *output != "json" {
			return fmt.Errorf("unknown output %q: want text or json", *output)
		}
		return client.logs(command, args[0], *output, *follow)
	}
	return command
}

// logs prints a module's log as it comes.
func (c *adminClient) logs(command *cobra.Command, name, output string, follow bool) error {
	ctx, cancel := context.WithTimeout(command.Context(), adminTimeout)
	path := modulePath(name, "/logs")
	if follow {
		cancel()
		ctx, cancel = context.WithCancel(command.Context())
		path += "?follow=true"
	}
	defer cancel()
	r, err := c.open(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = r.Body.Close() }()
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, maxLogLine)
	for lines.Scan() {
		text := string(lines.Bytes())
		if output == "text" {
			var line module.LogLine
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				return failure{fmt.Errorf("cannot read the answer of %q: %w", *c.address, err)}
			}
			text = fmt.Sprintf("%s %-5s %.12s %s", line.Time.Format("2006-01-02T15:04:05.000Z07:00"), line.Level, line.Digest, line.Message)
		}
		if err := write(command.OutOrStdout(), []byte(text+"\n")); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil && command.Context().Err() == nil { // else the user has pressed Ctrl-C
		return failure{fmt.Errorf("cannot read the log of %q: %w", name, err)}
	}
	return nil
}
