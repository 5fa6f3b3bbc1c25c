package kube

import (
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// FuzzFeed: whatever a server sends as list and as watch event, the cache neither panics nor gives out what is not JSON.
func FuzzFeed(f *testing.F) {
	f.Add([]byte(`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[{"metadata":{"name":"a","namespace":"n","labels":{"x":"y"}}}]}`),
		[]byte(`{"type":"ADDED","object":{"kind":"Pod","metadata":{"name":"b","managedFields":[]}}}`))
	f.Add([]byte(`{"kind":"\u0001List","items":[{"kind":"x","metadata":{"name":"a/b"}}]}`), []byte(`{"type":"DELETED","object":{"metadata":{"name":"a"}}}`))
	f.Add([]byte(`{"items":null}`), []byte(`{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"\n"}}}`))
	f.Add([]byte(`{"items":[5]}`), []byte(`{"type":"ERROR","object":{"code":410}}`))
	selected := &selector{labels: labels.SelectorFromSet(labels.Set{"x": "y"}), fields: fields.Everything()}
	everything := &selector{labels: labels.Everything(), fields: fields.Everything()}
	f.Fuzz(func(t *testing.T, list, event []byte) {
		opt := CacheOptions{}
		opt.setDefaults()
		w := newWatched(&cache{opt: opt}, key{version: "v1", resource: "pods"})
		next := &store{objects: map[string][]byte{}}
		_ = next.add(list)
		w.store.replace(next)
		_ = w.event(event)
		for _, sel := range []*selector{selected, everything} {
			if body, ok := w.store.list("", sel, 1<<20); !ok || !json.Valid(body) {
				t.Fatalf("%v, %q", ok, body)
			}
		}
		if _, bytes := w.store.size(); bytes < 0 {
			t.Fatalf("%d bytes are kept", bytes)
		}
	})
}
