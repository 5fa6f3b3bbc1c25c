package visible

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/exchange"
)

// pod is an event of some 6 KiB, as pods' are, of a namespace.
func pod(namespace string) string {
	field := `{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:image":{},"f:name":{}}}}}`
	return fmt.Sprintf(`{"type":"MODIFIED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web-5d7","generateName":"web-","namespace":%q,"uid":"0","resourceVersion":"1","labels":{"app":"web"},"managedFields":[{"manager":"k","fieldsV1":%s}]},"spec":{"containers":[%s]},"status":{"conditions":[%s]}}}`,
		namespace, strings.TrimSuffix(strings.Repeat(field+",", 12), ","),
		strings.TrimSuffix(strings.Repeat(`{"name":"web","image":"registry.example/web:1.0","env":[{"name":"A","value":"b"}]},`, 20), ","),
		strings.TrimSuffix(strings.Repeat(`{"type":"Ready","status":"True","lastTransitionTime":"2026-01-01T00:00:00Z"},`, 20), ",")) + "\n"
}

func viewOfTwo() *view {
	s := New(Options{Authorizer: newPolicy(inTwo...), Mode: On, Shared: NewShared(nil)})
	return &view{
		stage: s, namespaced: true,
		caller: caller{user: &exchange.User{Name: "ann"}, info: exchange.RequestInfo{Verb: "watch", Resource: "pods", IsResourceRequest: true}},
	}
}

// BenchmarkEvents looks through a watch in which nothing, or everything, is shown.
func BenchmarkEvents(b *testing.B) {
	for name, ns := range map[string]string{"withheld": "other", "shown": "a"} {
		b.Run(name, func(b *testing.B) {
			event, v := []byte(pod(ns)), viewOfTwo()
			b.SetBytes(int64(len(event)))
			b.ReportAllocs()
			r := &repeat{event: event, n: b.N}
			if err := v.events(r, io.Discard); err != io.EOF {
				b.Fatal(err)
			}
		})
	}
}

// repeat reads as one event n times over.
type repeat struct {
	event []byte
	at, n int
}

func (r *repeat) Read(p []byte) (int, error) {
	if r.n == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.event[r.at:])
	if r.at += n; r.at == len(r.event) {
		r.at = 0
		r.n--
	}
	return n, nil
}

// BenchmarkList splits a list of 1,000 pods.
func BenchmarkList(b *testing.B) {
	object := strings.TrimSuffix(strings.TrimPrefix(pod("a"), `{"type":"MODIFIED","object":`), "}\n")
	text := []byte(`{"kind":"PodList","items":[` + strings.TrimSuffix(strings.Repeat(object+",", 1000), ",") + `]}`)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		l := listing{
			in: newValues(bytes.NewReader(text)), field: func(field) error { return nil }, array: func(string) error { return nil },
			item: func([]byte) error { return nil },
		}
		if err := l.read(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPass is what a request that is not ours pays.
func BenchmarkPass(b *testing.B) {
	s, x := passing()
	b.ReportAllocs()
	for b.Loop() {
		s.Serve(x, func(*exchange.Exchange) {})
	}
}
