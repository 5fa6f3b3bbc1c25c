package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/admin"
	"github.com/posternhq/postern/gateway/module/manager"
)

// Bounds of asking a gateway's admin listener.
const (
	adminTimeout     = 10 * time.Second
	operationTimeout = 5 * time.Minute // a large module is uploaded, and waits for others that compile
	completionTime   = time.Second
	adminBytes       = 16 << 20 // of an answer
)

// adminClient asks the admin listener of a running gateway.
type adminClient struct{ address, tokenFile *string }

// adminFlags are the flags of a command that asks a gateway.
func adminFlags(command *cobra.Command) *adminClient {
	return &adminClient{
		command.Flags().String("admin", config.Default().Postern.Admin.Address, "host:port of the gateway's admin listener"),
		command.Flags().String("token-file", "", "file with the token of the gateway's operators (default: postern/admin.token in the state folder, as the gateway has it)"),
	}
}

// token is the one in the file; that a default file is not there is no error: looking may be free.
func (c *adminClient) token() (string, error) {
	path := *c.tokenFile
	if path == "" {
		if path = admin.DefaultTokenFile(); path == "" {
			return "", nil
		}
	}
	token, err := admin.ReadToken(path)
	if *c.tokenFile == "" && errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return token, err
}

// open sends a request; an answer that is none of success is an error with what the gateway says.
func (c *adminClient) open(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	// Else "http://…" would be asked of a host of the name http, and be given the token.
	if _, port, err := net.SplitHostPort(*c.address); err != nil || port == "" || strings.Contains(port, "/") {
		return nil, fmt.Errorf("cannot use --admin %q: want host:port, as 127.0.0.1:9091", *c.address)
	}
	token, err := c.token()
	if err != nil {
		return nil, failure{err}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+*c.address+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("cannot ask %q: %w", *c.address, err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, failure{fmt.Errorf("cannot ask the admin listener: %w; is the gateway running, and --admin its address?", err)}
	}
	if r.StatusCode == http.StatusOK {
		return r, nil
	}
	defer func() { _ = r.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10)) // what there is says enough
	return nil, failure{c.refusal(r.StatusCode, r.Status, text)}
}

// refusal says why the gateway refused, and what to do.
func (c *adminClient) refusal(code int, status string, text []byte) error {
	var f admin.Failure
	if json.Unmarshal(text, &f) != nil || f.Message == "" {
		return fmt.Errorf("%q answered %s: %.200s", *c.address, status, text)
	}
	if code == http.StatusUnauthorized {
		return fmt.Errorf("%s; name its file with --token-file", f.Message)
	}
	return errors.New(f.Message)
}

// ask is the body of an answer.
func (c *adminClient) ask(ctx context.Context, limit time.Duration, method, path string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r, err := c.open(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(r.Body, adminBytes))
	if err != nil {
		return nil, failure{fmt.Errorf("cannot read the answer of %q: %w", *c.address, err)}
	}
	return text, nil
}

// decode reads an answer into a value.
func (c *adminClient) decode(text []byte, into any) error {
	if err := json.Unmarshal(text, into); err != nil {
		return failure{fmt.Errorf("cannot read the answer of %q: %w", *c.address, err)}
	}
	return nil
}

// list are the gateway's modules.
func (c *adminClient) list(ctx context.Context) ([]manager.Status, error) {
	text, err := c.ask(ctx, adminTimeout, http.MethodGet, "/modules", nil)
	if err != nil {
		return nil, err
	}
	var all []manager.Status
	return all, c.decode(text, &all)
}

// modulePath is where a module is, with its name escaped.
func modulePath(name, rest string) string { return "/modules/" + url.PathEscape(name) + rest }

// complete offers the names of the gateway's modules.
func (c *adminClient) complete(command *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(command.Context(), completionTime)
	defer cancel()
	all, err := c.list(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, m := range all {
		if strings.HasPrefix(m.Module, typed) {
			names = append(names, cobra.CompletionWithDesc(m.Module, fmt.Sprintf("%s %s", m.State, m.Version)))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
