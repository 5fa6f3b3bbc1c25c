package shared

import (
	"context"
	"fmt"
	"time"

	"github.com/posternhq/postern/gateway/kube"
	"github.com/posternhq/postern/gateway/token"
)

// SecretName is the name of the Secret; its entry is one JSON object.
const (
	SecretName = "postern-keys"
	entry      = "keys.json"
)

// secret is as much of a Secret as is read and written.
type secret struct {
	APIVersion string            `json:"apiVersion,omitempty"`
	Kind       string            `json:"kind,omitempty"`
	Metadata   metadata          `json:"metadata"`
	Data       map[string][]byte `json:"data,omitempty"`
}

type metadata struct {
	Name            string            `json:"name,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
}

// version is what was read, and what must still be there when it is changed.
type version struct {
	bundle    *token.Bundle
	namespace string
	resource  string
}

func path(namespace string) string { return "/api/v1/namespaces/" + namespace + "/secrets" }

// read is what the Secret holds; nil: there is no such Secret.
func read(ctx context.Context, d *kube.Direct, namespace string) (*version, error) {
	var s secret
	err := d.Get(ctx, path(namespace)+"/"+SecretName, nil, &s)
	if kube.Missing(err) {
		return nil, nil //nolint:nilnil // see above
	}
	if err != nil {
		return nil, err
	}
	b, err := token.ParseBundle(s.Data[entry])
	if err != nil {
		return nil, fmt.Errorf("secret %s/%s: %w", namespace, SecretName, err)
	}
	return &version{b, namespace, s.Metadata.ResourceVersion}, nil
}

// create makes the Secret, and its namespace. Of replicas that do so at once all use what the first one has made.
func create(ctx context.Context, d *kube.Direct, namespace string) (*token.Bundle, error) {
	b, err := token.NewBundle(time.Now())
	if err != nil {
		return nil, err
	}
	text, err := b.Encode()
	if err != nil {
		return nil, fmt.Errorf("cannot encode keys: %w", err)
	}
	labels := map[string]string{"app.kubernetes.io/managed-by": "postern"}
	s := secret{"v1", "Secret", metadata{Name: SecretName, Labels: labels}, map[string][]byte{entry: text}}
	err = d.Create(ctx, path(namespace), s, nil)
	if kube.Missing(err) { // the namespace is
		space := secret{"v1", "Namespace", metadata{Name: namespace}, nil}
		if err := d.Create(ctx, "/api/v1/namespaces", space, nil); err != nil && !kube.Exists(err) {
			return nil, err
		}
		err = d.Create(ctx, path(namespace), s, nil)
	}
	if kube.Exists(err) {
		v, err := read(ctx, d, namespace)
		if err != nil || v == nil {
			return nil, fmt.Errorf("cannot read what another replica has made: %w", err)
		}
		return v.bundle, nil
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// rotate adds new keys to the Secret, unless somebody has changed it meanwhile: then that is what there is.
func (v *version) rotate(ctx context.Context, d *kube.Direct, keep time.Duration) (*token.Bundle, error) {
	b, err := v.bundle.Rotate(time.Now(), keep)
	if err != nil {
		return nil, err
	}
	text, err := b.Encode()
	if err != nil {
		return nil, fmt.Errorf("cannot encode keys: %w", err)
	}
	patch := secret{Metadata: metadata{ResourceVersion: v.resource}, Data: map[string][]byte{entry: text}}
	err = d.Patch(ctx, path(v.namespace)+"/"+SecretName, kube.MergePatch, nil, patch, nil)
	if kube.Conflict(err) {
		now, err := read(ctx, d, v.namespace)
		if err != nil || now == nil {
			return nil, fmt.Errorf("cannot read what another replica has rotated: %w", err)
		}
		return now.bundle, nil
	}
	return b, err
}

// Read is what the Secret holds now; nil: there is none.
func Read(ctx context.Context, d *kube.Direct, namespace string) (*token.Bundle, error) {
	v, err := read(ctx, d, namespace)
	if err != nil || v == nil {
		return nil, err
	}
	return v.bundle, nil
}

// Rotate has new keys made, as RotateEvery does when it is time. The Secret is made if it is not there.
func Rotate(ctx context.Context, d *kube.Direct, namespace string, keep time.Duration) (*token.Bundle, error) {
	v, err := read(ctx, d, namespace)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return create(ctx, d, namespace)
	}
	return v.rotate(ctx, d, keep)
}
