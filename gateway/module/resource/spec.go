package resource

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/manager"
	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/oci"
	"github.com/posternhq/postern/gateway/module/service"
)

// Group and Kind are where the resources are in Kubernetes' API.
const (
	Group = "/apis/postern.dev/v1alpha1/"
	Kind  = "modules"
)

// object is a Module as kube-apiserver has it.
type object struct {
	Metadata struct {
		Name              string `json:"name"`
		Generation        int64  `json:"generation"`
		ResourceVersion   string `json:"resourceVersion"`
		DeletionTimestamp string `json:"deletionTimestamp"`
	} `json:"metadata"`
	Spec   spec   `json:"spec"`
	Status status `json:"status"`

	text json.RawMessage
}

// spec is what an operator writes.
type spec struct {
	Source   string           `json:"source"` // oci://…
	Digest   string           `json:"digest"` // of the module's bytes, sha256:…; empty: whatever the source has
	Disabled bool             `json:"disabled"`
	Grants   *config.Grants   `json:"grants"`   // nil: what the configuration says
	Settings json.RawMessage  `json:"settings"` // nil: what the configuration says
	Limits   *manifest.Limits `json:"limits"`   // instead of the configuration's, one by one
	Rollout  json.RawMessage  `json:"rollout"`  // see rollout
}

// read reads an object. Its name and status are there even when there is an error in its spec.
func read(text json.RawMessage) (*object, error) {
	o := &object{text: text}
	if err := json.Unmarshal(text, o); err != nil {
		return o, fmt.Errorf("cannot read the resource: %w", err)
	}
	return o, nil
}

// reference is where the module is. A folder of the gateway's own machine is none that a resource may name.
func (s *spec) reference() (oci.Reference, error) {
	ref, err := oci.ParseReference(s.Source)
	if err == nil && ref.Path != "" {
		err = errors.New("a resource can name registries only, oci://…")
	}
	return ref, err
}

// digest is the wanted sha256 of the module's bytes in hex; empty if any will do.
func (s *spec) digest() string { return strings.TrimPrefix(s.Digest, "sha256:") }

// policy changes the configuration's word on the module to the resource's.
func (s *spec) policy() func(module.Policy) module.Policy {
	return func(p module.Policy) module.Policy {
		if s.Grants != nil {
			p.Grants = service.GrantsOf(*s.Grants)
		}
		if s.Settings != nil {
			p.Settings = s.Settings
		}
		if s.Limits != nil {
			p = p.Fix(s.Limits)
		}
		return p
	}
}

// rollout is config.Rollout as JSON has it; what is not given is what the configuration's defaults say.
type rollout struct {
	Weight          int                  `json:"weight"`
	Sticky          bool                 `json:"sticky"`
	Header          config.RolloutHeader `json:"header"`
	MinRequests     int                  `json:"minRequests"`
	PromoteAfter    manifest.Duration    `json:"promoteAfter"`
	Manual          bool                 `json:"manual"`
	MaxErrorRate    float64              `json:"maxErrorRate"`
	MaxLatencyRatio float64              `json:"maxLatencyRatio"`
}

// rollout is how a new digest takes over; nil: at once, or as the configuration says.
func (s *spec) rollout() (*manager.Rollout, error) {
	if s.Rollout == nil {
		return nil, nil
	}
	d := config.DefaultRollout()
	r := rollout{
		MinRequests: d.MinRequests, PromoteAfter: manifest.Duration(d.PromoteAfter), MaxErrorRate: d.MaxErrorRate, MaxLatencyRatio: d.MaxLatencyRatio,
	}
	if err := json.Unmarshal(s.Rollout, &r); err != nil {
		return nil, fmt.Errorf("rollout: %w", err)
	}
	return manager.RolloutOf(config.Rollout{
		Weight: r.Weight, Sticky: r.Sticky, Header: r.Header, MinRequests: r.MinRequests, PromoteAfter: time.Duration(r.PromoteAfter),
		Manual: r.Manual, MaxErrorRate: r.MaxErrorRate, MaxLatencyRatio: r.MaxLatencyRatio,
	}), nil
}
