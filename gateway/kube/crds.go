package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/goccy/go-yaml"
	"k8s.io/client-go/rest"

	"github.com/posternhq/postern/config/crds"
)

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"

// InstallCRDs applies custom resource definitions on the server side, as field manager postern, and waits until the
// cluster serves them all. done is called with the name of each that is served. Failures that may pass (no connection, a
// server that is starting) are tried again until ctx ends.
func InstallCRDs(ctx context.Context, cfg *rest.Config, files []crds.File, done func(name string)) error {
	c, err := newClient(cfg)
	if err != nil {
		return err
	}
	defer c.http.CloseIdleConnections()
	names := make([]string, len(files))
	for i, f := range files {
		var d struct{ Metadata struct{ Name string } }
		if err := yaml.Unmarshal(f.YAML, &d); err != nil || d.Metadata.Name == "" {
			return fmt.Errorf("cannot read the name of definition %q: %w", f.Name, err)
		}
		names[i] = d.Metadata.Name
		if err := retry(ctx, func() error { return c.apply(ctx, d.Metadata.Name, f.YAML) }); err != nil {
			return fmt.Errorf("cannot apply definition %q: %w", d.Metadata.Name, err)
		}
	}
	for _, name := range names {
		if err := retry(ctx, func() error { return c.established(ctx, name) }); err != nil {
			return fmt.Errorf("cannot wait for definition %q: %w", name, err)
		}
		done(name)
	}
	return nil
}

// apply takes over whatever others say of the same fields.
func (c *client) apply(ctx context.Context, name string, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	body, err := c.do(ctx, call{
		method: http.MethodPatch, path: definitions + name, accept: "application/json", body: string(text),
		contentType: "application/apply-patch+yaml", query: url.Values{"fieldManager": {"postern"}, "force": {"true"}},
	})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(body, maxObject))
	return errors.Join(err, body.Close())
}

var errNotEstablished = errors.New("not established yet")

// established is nil when objects of the definition can be stored.
func (c *client) established(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	body, err := c.do(ctx, call{method: http.MethodGet, path: definitions + name, accept: "application/json"})
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // only read
	var d struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := json.NewDecoder(io.LimitReader(body, maxObject)).Decode(&d); err != nil {
		return fmt.Errorf("cannot decode definition: %w", err)
	}
	err = errNotEstablished
	for _, condition := range d.Status.Conditions {
		switch {
		case condition.Type == "Established" && condition.Status == "True":
			return nil
		case condition.Type == "NamesAccepted" && condition.Status == "False":
			err = fmt.Errorf("%w: %s", errNotEstablished, condition.Message)
		}
	}
	return err
}

// retryEvery is how often a failure that may pass is tried again: a definition takes some 100 ms to be served.
const retryEvery = 100 * time.Millisecond

// retry calls f until it succeeds, fails for good, or ctx ends; then with the last failure that says more than that.
func retry(ctx context.Context, f func() error) error {
	var last error
	for {
		err := f()
		if err != nil && ctx.Err() != nil && last != nil {
			return last
		}
		last = err
		var answered *failure
		if err == nil || errors.As(err, &answered) && answered.code/100 == 4 && answered.code != http.StatusTooManyRequests {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryEvery):
		}
	}
}
