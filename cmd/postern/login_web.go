package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"time"
)

const (
	webPath    = "/callback"
	webTimeout = 5 * time.Minute // for somebody to log in
)

// webLogin has the user log in in the browser: an authorization code with PKCE, which the gateway sends the browser back
// with, to a port of this process (RFC 8252).
func webLogin(ctx context.Context, c *serverClient, open bool, say io.Writer) (*oauthTokens, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, webTimeout, fmt.Errorf("nobody has logged in within %v", webTimeout))
	defer cancel()
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, failure{fmt.Errorf("cannot wait for the browser: %w", err)}
	}
	redirect := "http://" + ln.Addr().String() + webPath
	verifier, state := rand.Text()+rand.Text(), rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	address := c.server + "/oauth/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {oauthClientName}, "redirect_uri": {redirect}, "state": {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode()
	_, _ = fmt.Fprintf(say, "Log in here:\n\n  %s\n\n", address)
	if open {
		if err := openBrowser(ctx, address); err != nil {
			_, _ = fmt.Fprintf(say, "No browser could be opened (%v): open the address yourself, on this machine.\n", err)
		}
	}
	code, err := awaitCode(ctx, ln, state)
	if err != nil {
		return nil, failure{fmt.Errorf("cannot log in to %s: %w", c.server, err)}
	}
	tokens, err := c.token(ctx, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier},
	})
	if err != nil {
		return nil, failure{fmt.Errorf("cannot log in to %s: %w", c.server, err)}
	}
	return tokens, nil
}

// callback is what the browser brought.
type callback struct {
	code string
	err  error
}

// awaitCode serves ln until the browser has come back, or ctx has ended.
func awaitCode(ctx context.Context, ln net.Listener, state string) (string, error) {
	came := make(chan callback, 1)
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answerBrowser(w, r, state, came) }),
		ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10,
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(ln) // ends with the server
	}()
	defer func() {
		over, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if server.Shutdown(over) != nil {
			_ = server.Close() // a browser that does not take its answer
		}
		<-served
	}()
	select {
	case c := <-came:
		return c.code, c.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// answerBrowser takes the first answer that has the state. Requests without it are of somebody else.
func answerBrowser(w http.ResponseWriter, r *http.Request, state string, came chan<- callback) {
	q := r.URL.Query()
	if r.Method != http.MethodGet || r.URL.Path != webPath || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1 {
		http.Error(w, "nothing here", http.StatusNotFound)
		return
	}
	c := callback{code: q.Get("code")}
	text := "You are logged in. This window can be closed."
	if c.code == "" {
		reason := q.Get("error_description")
		if reason == "" {
			reason = q.Get("error")
		}
		c.err = errors.New("the gateway answered: " + reason)
		text = "You are not logged in: " + html.EscapeString(reason)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	w.Header().Set("Connection", "close")
	_, _ = fmt.Fprintf(w, "<!doctype html><title>Postern</title><p>%s</p>\n", text) // the browser may have gone
	select {
	case came <- c:
	default: // another answer was faster
	}
}

// openBrowser has the desktop open an address.
func openBrowser(ctx context.Context, address string) error {
	command := []string{"xdg-open", address}
	if runtime.GOOS == "darwin" {
		command[0] = "open"
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, command[1:]...)
	cmd.Cancel = func() error { return nil } // what it has opened stays
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // it ends by itself; the page says what went wrong
	return nil
}
