package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"k8s.io/client-go/rest"
)

// Direct reads and writes single objects, as the gateway itself. It keeps none. It is for the few that the gateway itself
// looks after; what modules and clients do has its own ways.
type Direct struct{ client *client }

// NewDirect connects to nothing yet.
func NewDirect(cfg *rest.Config) (*Direct, error) {
	c, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	return &Direct{c}, nil
}

// Close ends idle connections.
func (d *Direct) Close() { d.client.http.CloseIdleConnections() }

// Types of a patch.
const (
	MergePatch = "application/merge-patch+json"
	Apply      = "application/apply-patch+yaml" // JSON is YAML
)

// Get reads what is at path, as /api/v1/namespaces/x/secrets/y, into the JSON of into.
func (d *Direct) Get(ctx context.Context, path string, query url.Values, into any) error {
	return d.do(ctx, call{method: http.MethodGet, path: path, query: query}, nil, into)
}

// Create posts object to the collection at path. into, which may be nil, takes what was stored. See Exists.
func (d *Direct) Create(ctx context.Context, path string, object, into any) error {
	return d.do(ctx, call{method: http.MethodPost, path: path, contentType: "application/json"}, object, into)
}

// Patch changes what is at path. See Conflict, Missing.
func (d *Direct) Patch(ctx context.Context, path, kind string, query url.Values, patch, into any) error {
	return d.do(ctx, call{method: http.MethodPatch, path: path, contentType: kind, query: query}, patch, into)
}

// Delete removes what is at path. See Missing.
func (d *Direct) Delete(ctx context.Context, path string) error {
	return d.do(ctx, call{method: http.MethodDelete, path: path}, nil, nil)
}

// Exists says whether err is kube-apiserver's word that an object of that name is there already.
func Exists(err error) bool { return answers(err, http.StatusConflict) }

// do sends one request; it has writeTimeout, and an answer of at most maxObject.
func (d *Direct) do(ctx context.Context, r call, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("cannot encode what is written to %s: %w", r.path, err)
		}
		r.body = string(text)
	}
	r.accept = "application/json"
	answer, err := d.client.do(ctx, r)
	if err != nil {
		return fmt.Errorf("cannot %s %s: %w", verbs[r.method], r.path, err)
	}
	limited := &budget{r: answer, left: maxObject}
	if into == nil {
		_, err = io.Copy(io.Discard, limited)
	} else if err = json.NewDecoder(limited).Decode(into); err != nil {
		err = fmt.Errorf("cannot decode %s: %w", r.path, err)
	}
	return errors.Join(err, answer.Close())
}

// verbs are the words for errors.
var verbs = map[string]string{http.MethodGet: "read", http.MethodPost: "create", http.MethodPatch: "change", http.MethodDelete: "delete"}
