package resource

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/posternhq/postern/gateway/module/manager"
)

// status is what the replicas say of a Module.
type status struct {
	ObservedGeneration int64       `json:"observedGeneration,omitempty"`
	Resolved           *resolved   `json:"resolved,omitempty"`
	Digest             string      `json:"digest,omitempty"` // of what serves, where all replicas serve the same
	Version            string      `json:"version,omitempty"`
	Routes             []string    `json:"routes,omitempty"`
	Serving            string      `json:"serving,omitempty"` // as 2/3: replicas that serve what is wanted
	LastError          string      `json:"lastError,omitempty"`
	Replicas           []replica   `json:"replicas,omitempty"`
	Conditions         []condition `json:"conditions,omitempty"`
}

// resolved is what a source's tag was when it was first asked for: every replica takes the same.
type resolved struct {
	Source string `json:"source"`
	Digest string `json:"digest"` // of the manifest, sha256:…
}

// replica is one gateway's word.
type replica struct {
	Name      string    `json:"name"`
	State     string    `json:"state"`
	Digest    string    `json:"digest,omitempty"`
	Version   string    `json:"version,omitempty"`
	Routes    []string  `json:"routes,omitempty"`
	Candidate string    `json:"candidate,omitempty"`
	Error     string    `json:"error,omitempty"`
	Observed  int64     `json:"observedGeneration,omitempty"`
	Seen      time.Time `json:"seen"` // when it said so, or that it still holds
}

// condition is Kubernetes' own type.
type condition struct {
	Type               string    `json:"type"`
	Status             string    `json:"status"`
	ObservedGeneration int64     `json:"observedGeneration,omitempty"`
	LastTransitionTime time.Time `json:"lastTransitionTime"`
	Reason             string    `json:"reason"`
	Message            string    `json:"message"`
}

// Times of replicas' words.
const (
	refresh = 2 * time.Minute // a word is repeated after this
	stale   = 3 * refresh     // a replica that has not spoken for so long is gone
)

// maxText bounds an error's text in the status, bytes.
const maxText = 1024

// word is what this replica says.
func word(name string, o manager.Outcome, generation int64) replica {
	r := replica{
		Name: name, State: string(o.State), Version: o.Version, Routes: o.Routes, Observed: generation,
		Digest: prefixed(o.Digest), Candidate: prefixed(o.Candidate),
	}
	if o.Err != nil {
		r.Error = o.Err.Error()
		r.Error = strings.ToValidUTF8(r.Error[:min(len(r.Error), maxText)], "")
	}
	return r
}

// prefixed is a digest as OCI writes it.
func prefixed(digest string) string {
	if digest == "" {
		return ""
	}
	return "sha256:" + digest
}

// says puts a replica's word into a status, leaves out those who are gone, and sums up. now is in whole seconds, as
// Kubernetes' times are.
func (s status) says(mine replica, generation int64, now time.Time) status {
	kept := []replica{}
	for _, r := range s.Replicas {
		if r.Name != mine.Name && now.Sub(r.Seen) < stale {
			kept = append(kept, r)
		} else if r.Name == mine.Name && now.Sub(r.Seen) < refresh {
			mine.Seen = r.Seen
			if !reflect.DeepEqual(r, mine) {
				mine.Seen = now
			}
		}
	}
	if mine.Seen.IsZero() {
		mine.Seen = now
	}
	s.Replicas = append(kept, mine)
	slices.SortFunc(s.Replicas, func(a, b replica) int { return strings.Compare(a.Name, b.Name) })
	return s.sum(generation, now)
}

// without takes a replica out of a status: it ends.
func (s status) without(name string, generation int64, now time.Time) status {
	s.Replicas = slices.DeleteFunc(slices.Clone(s.Replicas), func(r replica) bool { return r.Name == name })
	return s.sum(generation, now)
}

// sum makes the rest of a status of its replicas.
func (s status) sum(generation int64, now time.Time) status {
	s.ObservedGeneration, s.Digest, s.Version, s.Routes, s.LastError = generation, "", "", nil, ""
	ready, disabled := 0, 0
	for i, r := range s.Replicas {
		if r.Error != "" {
			s.LastError = r.Name + ": " + r.Error
		}
		if r.State == string(manager.Disabled) {
			disabled++
		} else if r.Error == "" && r.Digest != "" && r.Observed == generation {
			ready++
		}
		switch {
		case i == 0:
			s.Digest, s.Version, s.Routes = r.Digest, r.Version, r.Routes
		case s.Digest != r.Digest:
			s.Digest, s.Version, s.Routes = "", "", nil
		}
	}
	s.Serving = fmt.Sprintf("%d/%d", ready, len(s.Replicas))
	c := condition{Type: "Ready", Status: "False", ObservedGeneration: generation, LastTransitionTime: now}
	switch all := len(s.Replicas); {
	case all > 0 && disabled == all:
		c.Reason, c.Message = "Disabled", "the resource says so"
	case all > 0 && ready == all:
		c.Status, c.Reason, c.Message = "True", "Serving", fmt.Sprintf("served by %d replicas", all)
	case s.LastError != "":
		c.Reason, c.Message = "Failed", s.LastError
	default:
		c.Reason, c.Message = "Progressing", fmt.Sprintf("served by %s replicas", s.Serving)
	}
	for _, old := range s.Conditions {
		if old.Type == c.Type && old.Status == c.Status {
			c.LastTransitionTime = old.LastTransitionTime
		}
	}
	s.Conditions = []condition{c}
	return s
}
