package kubeapi

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"sigs.k8s.io/yaml"
)

// fieldManager is the owner that Kubernetes records for the fields we apply.
const fieldManager = "postern-stack"

type resource struct {
	name       string // plural
	namespaced bool
}

// object is what has to be known of a manifest to find its address.
type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
}

// Apply applies every document of a YAML (or JSON) stream server side, in order, taking over fields that others own.
// Applying the same stream again changes nothing.
func (c *Client) Apply(ctx context.Context, stream []byte) error {
	for _, document := range bytes.Split(append([]byte("\n"), stream...), []byte("\n---")) {
		var o object
		if err := yaml.Unmarshal(document, &o); err != nil {
			return fmt.Errorf("cannot read a manifest: %w", err)
		}
		if o.Kind == "" {
			continue // only comments
		}
		path, err := c.path(ctx, o)
		if err != nil {
			return fmt.Errorf("cannot apply %s %q: %w", o.Kind, o.Metadata.Name, err)
		}
		body, err := yaml.YAMLToJSON(document)
		if err != nil {
			return fmt.Errorf("cannot read %s %q: %w", o.Kind, o.Metadata.Name, err)
		}
		query := "?force=true&fieldManager=" + fieldManager
		if _, err := c.do(ctx, http.MethodPatch, path+query, "application/apply-patch+yaml", body); err != nil {
			return fmt.Errorf("cannot apply %s %q: %w", o.Kind, o.Metadata.Name, err)
		}
	}
	return nil
}

// path is the address of o.
func (c *Client) path(ctx context.Context, o object) (string, error) {
	r, err := c.resource(ctx, o.APIVersion, o.Kind)
	if err != nil {
		return "", err
	}
	path := groupPath(o.APIVersion)
	if r.namespaced {
		namespace := o.Metadata.Namespace
		if namespace == "" {
			namespace = "default"
		}
		path += "/namespaces/" + url.PathEscape(namespace)
	}
	return path + "/" + r.name + "/" + url.PathEscape(o.Metadata.Name), nil
}

func groupPath(apiVersion string) string {
	if strings.Contains(apiVersion, "/") {
		return "/apis/" + apiVersion
	}
	return "/api/" + apiVersion
}

// resource asks discovery once per kind.
func (c *Client) resource(ctx context.Context, apiVersion, kind string) (resource, error) {
	key := apiVersion + " " + kind
	c.mu.Lock()
	defer c.mu.Unlock()
	if r, ok := c.kinds[key]; ok {
		return r, nil
	}
	var list struct {
		Resources []struct {
			Name       string `json:"name"`
			Kind       string `json:"kind"`
			Namespaced bool   `json:"namespaced"`
		} `json:"resources"`
	}
	if err := c.Get(ctx, groupPath(apiVersion), &list); err != nil {
		return resource{}, err
	}
	for _, r := range list.Resources {
		if r.Kind == kind && !strings.Contains(r.Name, "/") {
			c.kinds[key] = resource{name: r.Name, namespaced: r.Namespaced}
			return c.kinds[key], nil
		}
	}
	return resource{}, &Error{Code: http.StatusNotFound, Message: fmt.Sprintf("the server has no kind %q in %q", kind, apiVersion)}
}
