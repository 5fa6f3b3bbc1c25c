package resource

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/manager"
	"github.com/posternhq/postern/gateway/module/service"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// serves is the word of a replica that serves a digest.
func serves(name, digest string, generation int64) replica {
	return word(name, manager.Outcome{State: manager.Serving, Digest: digest, Version: "1", Routes: []string{"a.io/v1"}}, generation)
}

// through is a status as it comes back from kube-apiserver.
func through(t *testing.T, s status) (out status) {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestReplicasAgree(t *testing.T) {
	s := through(t, status{}.says(serves("a", "1", 1), 1, noon))
	s = through(t, s.says(serves("b", "1", 1), 1, noon.Add(time.Second)))
	if s.Serving != "2/2" || s.Digest != "sha256:1" || s.Version != "1" || s.Conditions[0].Status != "True" || !s.Conditions[0].LastTransitionTime.Equal(noon) {
		t.Errorf("%+v", s)
	}
	// What is no news is not written: else replicas would answer each other for ever.
	if again := s.says(serves("a", "1", 1), 1, noon.Add(time.Minute)); !reflect.DeepEqual(again, s) {
		t.Errorf("%+v is not %+v", again, s)
	}
	if again := s.says(serves("a", "1", 1), 1, noon.Add(refresh)); reflect.DeepEqual(again, s) {
		t.Error("an old word is not repeated")
	}
	s = through(t, s.says(serves("a", "2", 2), 2, noon.Add(time.Minute)))
	if s.Serving != "1/2" || s.Digest != "" || s.Conditions[0].Reason != "Progressing" || s.ObservedGeneration != 2 {
		t.Errorf("half-way: %+v", s)
	}
	s = through(t, s.says(serves("b", "2", 2), 2, noon.Add(time.Minute)))
	if s.Serving != "2/2" || s.Digest != "sha256:2" {
		t.Errorf("%+v", s)
	}
}

func TestReplicaFailsAndGoes(t *testing.T) {
	s := status{}.says(serves("a", "1", 1), 1, noon).says(serves("b", "1", 1), 1, noon)
	failed := word("b", manager.Outcome{State: manager.Degraded, Digest: "1", Err: errors.New(strings.Repeat("why ", 1000))}, 1)
	s = through(t, s.says(failed, 1, noon.Add(time.Minute)))
	if s.Serving != "1/2" || s.Conditions[0].Reason != "Failed" || !strings.HasPrefix(s.LastError, "b: why") || len(s.LastError) > maxText+10 {
		t.Errorf("%+v", s)
	}
	s = through(t, s.says(serves("a", "1", 1), 1, noon.Add(stale+time.Minute)))
	if len(s.Replicas) != 1 || s.Serving != "1/1" || s.LastError != "" || s.Conditions[0].Status != "True" {
		t.Errorf("b is gone: %+v", s)
	}
	if s = s.without("a", 1, noon); s.Serving != "0/0" || s.Conditions[0].Status != "False" {
		t.Errorf("nobody is left: %+v", s)
	}
	s = status{}.says(word("a", manager.Outcome{State: manager.Disabled}, 3), 3, noon)
	if s.Conditions[0].Reason != "Disabled" {
		t.Errorf("%+v", s)
	}
}

func TestSpec(t *testing.T) {
	o, err := read(json.RawMessage(`{"metadata":{"name":"m","generation":2},"spec":{"source":"oci://r.io/a/b:1","digest":"sha256:ab",
		"grants":{"prometheus":true,"kube":[{"groups":[""],"resources":["pods"],"verbs":["get"]}]},"settings":{"a":1},
		"limits":{"memory":"16MiB","deadline":"5s"},"rollout":{"weight":10,"promoteAfter":"2m"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	base := module.Policy{Limits: module.DefaultLimits(), Grants: service.Grants{HTTP: []string{"x"}}}
	p := o.Spec.policy()(base)
	if !p.Grants.Prometheus || p.Grants.HTTP != nil || p.Grants.Kube[0].Resources[0] != "pods" || string(p.Settings) != `{"a":1}` ||
		p.Limits.Memory != 16<<20 || p.Limits.Deadline != 5*time.Second || p.Limits.Queue != base.Limits.Queue || len(p.Fixed) != 2 {
		t.Errorf("%+v", p)
	}
	rule, err := o.Spec.rollout()
	want := config.DefaultRollout()
	want.Weight, want.PromoteAfter = 10, 2*time.Minute
	if err != nil || *rule != *manager.RolloutOf(want) {
		t.Errorf("%+v, %v, want %+v", rule, err, want)
	}
	o.Spec.Rollout = json.RawMessage(`{"header":{"name":"X-Canary","value":"yes"},"maxLatencyRatio":0,"manual":true}`)
	if rule, err = o.Spec.rollout(); err != nil || rule.Header != "X-Canary" || rule.HeaderValue != "yes" || rule.MaxLatencyRatio != 0 || !rule.Manual {
		t.Errorf("%+v, %v", rule, err)
	}
	if ref, err := o.Spec.reference(); err != nil || ref.Tag != "1" || o.Spec.digest() != "ab" {
		t.Errorf("%+v, %v", ref, err)
	}
	empty := new(spec)
	if p := empty.policy()(base); !reflect.DeepEqual(p, base) {
		t.Errorf("a resource that says nothing changes the policy: %+v", p)
	}
	for source, says := range map[string]string{
		"": "cannot read reference", "oci://r.io/a/b": "neither a tag nor a digest", "oci-layout:///etc:1": "registries only", "file:///x": "cannot read reference",
	} {
		if _, err := (&spec{Source: source}).reference(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", source, err)
		}
	}
	if _, err := (&spec{Rollout: json.RawMessage(`{"weight":1,"promoteAfter":"soon"}`)}).rollout(); err == nil {
		t.Error("a promoteAfter that is no duration")
	}
	if o, err := read(json.RawMessage(`{"metadata":{"name":"m"},"spec":{"source":7}}`)); err == nil || o.Metadata.Name != "m" {
		t.Errorf("%+v, %v", o, err)
	}
}
