package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"k8s.io/client-go/rest"
)

// headTimeout is how long kube-apiserver has for the head of an answer; its own limit for a request is 60 s.
const headTimeout = 75 * time.Second

// client sends requests to kube-apiserver.
type client struct {
	http *http.Client
	base *url.URL
}

func newClient(cfg *rest.Config) (*client, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.Timeout = 0 // watches last; every request has a deadline of its own
	base, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot use address %q of kube-apiserver: %w", cfg.Host, err)
	}
	h, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to kube-apiserver %q: %w", cfg.Host, err)
	}
	return &client{http: h, base: base}, nil
}

// failure is an answer that is not a success.
type failure struct {
	code    int
	message string
}

func (f *failure) Error() string {
	return fmt.Sprintf("kube-apiserver answers %d: %s", f.code, f.message)
}

// answer says whether err is an answer of the server, and whether it says that a version is too old to go on from.
func answer(err error) (answered, gone bool) {
	var f *failure
	if !errors.As(err, &f) {
		return false, false
	}
	return true, f.code == http.StatusGone
}

// call is a request that is not sent yet.
type call struct {
	method, path, accept, contentType string
	query                             url.Values
	body                              string
}

// do sends r and returns the body of a success. The caller closes it; ctx bounds it.
func (c *client) do(ctx context.Context, r call) (io.ReadCloser, error) {
	u := *c.base
	u.Path = strings.TrimSuffix(u.Path, "/") + r.path
	u.RawQuery = r.query.Encode()
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), strings.NewReader(r.body))
	if err != nil {
		cancel(nil)
		return nil, fmt.Errorf("cannot make request: %w", err)
	}
	req.Header.Set("Accept", r.accept)
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	timer := time.AfterFunc(headTimeout, func() { cancel(context.DeadlineExceeded) })
	resp, err := c.http.Do(req)
	timer.Stop()
	if err != nil {
		cancel(nil)
		return nil, err
	}
	body := &closing{resp.Body, cancel}
	if resp.StatusCode/100 != 2 {
		defer body.Close() //nolint:errcheck // only read
		return nil, &failure{resp.StatusCode, message(body)}
	}
	return body, nil
}

// closing ends a request's context with its body.
type closing struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (c *closing) Close() error {
	defer c.cancel(nil)
	return c.ReadCloser.Close()
}

// message is the text of a Status, or the beginning of whatever else was answered.
func message(r io.Reader) string {
	text, _ := io.ReadAll(io.LimitReader(r, 4096)) // what could be read is what can be said
	var status struct{ Message string }
	if json.Unmarshal(text, &status) == nil && status.Message != "" {
		return status.Message
	}
	return strings.TrimSpace(string(text))
}
