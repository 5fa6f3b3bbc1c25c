package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// passwordVariable is the environment variable that a password is taken from.
const passwordVariable = "POSTERN_PASSWORD"

// maxPassword bounds what is read as a password, bytes.
const maxPassword = 4096

// loginFlags are the flags of `postern login`.
type loginFlags struct {
	store                    loginStore
	user, ca, provider       *string
	stdin, web, plain, quiet *bool
	output                   *string
}

// newLoginCommand is `postern login`.
func newLoginCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "login [URL]",
		Short: "Log in to a gateway, and keep the tokens",
		Long: "Log in to a gateway with a password, or in the browser with --web, and keep the tokens in the user's configuration\n" +
			"folder, readable by nobody else. They are refreshed when they are used. Without URL: the gateway of the last login.\n" +
			"The password is asked for, or read from standard input (--password-stdin) or the variable " + passwordVariable + ".",
		Example: "  postern login https://gateway.example.com -u alice\n  postern login https://gateway.example.com --web\n" +
			"  postern login https://localhost:9443 --ca .postern/run/pki/ca.crt -u admin --password-stdin <password",
		Args: cobra.MaximumNArgs(1),
	}
	f := command.Flags()
	flags := &loginFlags{
		store:    loginFlag(command),
		user:     f.StringP("user", "u", "", "name or e-mail; else it is asked for"),
		ca:       f.String("ca", "", "PEM file with the certificate authority of the gateway (default: the system's, or that of the last login there)"),
		provider: f.String("provider", "", "identity provider that checks the password (LDAP); else the platform does"),
		stdin:    f.Bool("password-stdin", false, "read the password from standard input"),
		web:      f.Bool("web", false, "log in in the browser"),
		quiet:    f.Bool("no-browser", false, "with --web: print the URL, open no browser"),
		plain:    f.Bool("plain-http", false, "allow http:// to other machines"),
		output:   outputFlag(command, "text", "text or json"),
	}
	command.RunE = func(command *cobra.Command, args []string) error {
		server, err := flags.check(args)
		if err != nil {
			return err
		}
		l, err := flags.login(command, server)
		if err != nil {
			return err
		}
		return flags.print(command.OutOrStdout(), l)
	}
	return command
}

// check finds what is wrong with the flags, and the gateway's URL.
func (f *loginFlags) check(args []string) (server string, err error) {
	switch {
	case *f.output != "text" && *f.output != "json":
		return "", fmt.Errorf("unknown output %q: want text or json", *f.output)
	case *f.web && (*f.stdin || *f.user != "" || *f.provider != ""):
		return "", errors.New("--web asks in the browser who logs in: leave --user, --provider and --password-stdin out")
	case *f.quiet && !*f.web:
		return "", errors.New("--no-browser is for --web")
	case *f.stdin && *f.user == "":
		return "", errors.New("--password-stdin needs --user")
	case len(args) == 1:
		return serverURL(args[0], *f.plain)
	}
	all, err := f.store.read()
	if err != nil {
		return "", err
	}
	if l := all.All[all.Current]; l != nil {
		return l.Server, nil
	}
	return "", errors.New("which gateway? name its URL, as https://gateway.example.com")
}

func (f *loginFlags) login(command *cobra.Command, server string) (*login, error) {
	ca, err := f.authority(server)
	if err != nil {
		return nil, err
	}
	client, err := newServerClient(server, ca)
	if err != nil {
		return nil, failure{err}
	}
	ctx := command.Context()
	var tokens *oauthTokens
	if *f.web {
		tokens, err = webLogin(ctx, client, !*f.quiet, command.ErrOrStderr())
	} else {
		tokens, err = f.password(ctx, client, command)
	}
	if err != nil {
		return nil, err
	}
	l := &login{Server: server, CA: ca}
	l.take(tokens, time.Now())
	if l.User, err = client.user(ctx, l.Access); err != nil {
		return nil, failure{fmt.Errorf("cannot tell who has logged in: %w", err)}
	}
	return l, f.store.change(func(all *logins) error {
		all.Current = loginKey(l.User, server)
		all.All[all.Current] = l
		return nil
	})
}

// take makes tokens those of l.
func (l *login) take(t *oauthTokens, now time.Time) {
	l.Access, l.Expires = t.Access, time.Time{}
	if t.Refresh != "" {
		l.Refresh = t.Refresh
	}
	if t.Expires > 0 {
		l.Expires = now.Add(time.Duration(t.Expires) * time.Second).UTC().Truncate(time.Second)
	}
}

// authority is the certificate authority in the file, else that of an earlier login there.
func (f *loginFlags) authority(server string) ([]byte, error) {
	if *f.ca != "" {
		text, err := os.ReadFile(*f.ca)
		if err != nil {
			return nil, failure{fmt.Errorf("cannot read the certificate authority: %w", err)}
		}
		return text, nil
	}
	all, err := f.store.read()
	if err != nil {
		return nil, err
	}
	for _, l := range all.All {
		if l.Server == server && len(l.CA) > 0 {
			return l.CA, nil
		}
	}
	return nil, nil
}

// password logs in with name and password.
func (f *loginFlags) password(ctx context.Context, c *serverClient, command *cobra.Command) (*oauthTokens, error) {
	name, password, err := f.credentials(ctx, command, c.server)
	if err != nil {
		return nil, failure{err}
	}
	form := url.Values{"grant_type": {"password"}, "username": {name}, "password": {password}}
	if *f.provider != "" {
		form.Set("provider", *f.provider)
	}
	tokens, err := c.token(ctx, form)
	var refused *oauthRefusal
	if errors.As(err, &refused) {
		err = fmt.Errorf("cannot log in to %s as %q: %w", c.server, name, err)
	}
	if err != nil {
		return nil, failure{err}
	}
	return tokens, nil
}

func (f *loginFlags) credentials(ctx context.Context, command *cobra.Command, server string) (name, password string, err error) {
	if *f.stdin {
		text, err := io.ReadAll(io.LimitReader(command.InOrStdin(), maxPassword))
		if err != nil {
			return "", "", fmt.Errorf("cannot read the password: %w", err)
		}
		return *f.user, strings.TrimRight(string(text), "\r\n"), nil
	}
	password, given := os.LookupEnv(passwordVariable)
	if *f.user != "" && given {
		return *f.user, password, nil
	}
	t, err := openTerminal()
	if err != nil {
		return "", "", fmt.Errorf("%w: use --user with --password-stdin, or with the variable %s", err, passwordVariable)
	}
	defer t.close()
	if name = *f.user; name == "" {
		if name, err = t.ask(ctx, fmt.Sprintf("User at %s: ", server), true); err != nil {
			return "", "", err
		}
	}
	if !given {
		password, err = t.ask(ctx, fmt.Sprintf("Password of %s: ", name), false)
	}
	return name, password, err
}

// prompter is where people are asked, whatever standard input and output are.
type prompter struct{ *os.File }

func openTerminal() (*prompter, error) {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("there is no terminal to ask for the password")
	}
	return &prompter{f}, nil
}

func (t *prompter) close() { _ = t.Close() } // nothing was written that could be lost

// ask reads a line, unseen unless echo. Should ctx end before, the terminal is as it was.
func (t *prompter) ask(ctx context.Context, prompt string, echo bool) (string, error) {
	fd := int(t.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("cannot use the terminal: %w", err)
	}
	if _, err := io.WriteString(t, prompt); err != nil {
		return "", fmt.Errorf("cannot use the terminal: %w", err)
	}
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1) // the goroutine ends with the line, or with the process
	go func() {
		var a answer
		if echo {
			a.text, a.err = bufio.NewReaderSize(t, maxPassword).ReadString('\n')
		} else {
			var text []byte
			text, a.err = term.ReadPassword(fd)
			a.text = string(text)
		}
		got <- a
	}()
	select {
	case a := <-got:
		if !echo {
			_, _ = io.WriteString(t, "\n") // the user's was not seen
		}
		if a.err != nil {
			return "", fmt.Errorf("cannot read from the terminal: %w", a.err)
		}
		return strings.TrimRight(a.text, "\r\n"), nil
	case <-ctx.Done():
		_ = term.Restore(fd, before)
		_, _ = io.WriteString(t, "\n")
		return "", context.Cause(ctx)
	}
}

// loginResult is what `login -o json` prints. Its keys are a contract.
type loginResult struct {
	Server  string    `json:"server"`
	User    string    `json:"user"`
	Expires time.Time `json:"expires,omitzero"` // of the access token, which is refreshed
	File    string    `json:"file"`
}

func (f *loginFlags) print(w io.Writer, l *login) error {
	path, err := f.store.file()
	if err != nil {
		return err
	}
	if *f.output == "json" {
		text, err := json.MarshalIndent(loginResult{l.Server, l.User, l.Expires, path}, "", "  ")
		if err != nil {
			return failure{err}
		}
		return write(w, append(text, '\n'))
	}
	text := fmt.Sprintf("Logged in to %s as %s.\n", l.Server, l.User)
	if strings.HasPrefix(l.Server, "https:") {
		text += "`postern kubeconfig --merge` has kubectl go there.\n"
	}
	return write(w, []byte(text))
}
