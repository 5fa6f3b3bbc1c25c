package kube

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestDecodeList(t *testing.T) {
	for text, want := range map[string]string{
		`{"kind":"L","metadata":{"resourceVersion":"7","continue":"c"},"items":[{"metadata":{"name":"a"}},{"metadata":{"namespace":"n","name":"b"}}]}`: "7 c a n/b",
		`{"items":[{"metadata":{"name":"a"},"deep":{"er":[1,{"x":2}]}}],"metadata":{"resourceVersion":"7"}}`:                                           "7  a",
		`{"items":null,"metadata":{"resourceVersion":"7"}}`:                                                                                            "7 ",
		`{"metadata":{"resourceVersion":"7"}}`:                                                                                                         "7 ",
		`{"metadata":{},"items":[{"metadata":{"name":"a"},"rules":"none"},{"metadata":{"name":"b"}}]}`:                                                 "  a(unreadable) b",
		`{"metadata":{},"items":[{"metadata":{"name":"a"}}`:                                                                                            "  a error",

		`{"metadata":{},"items":{}}`: "  error",
		`[]`:                         "  error",
		``:                           "  error",
		`{"items":[1}`:               "  (unreadable) error",
	} {
		var b strings.Builder
		p, err := decodeList(strings.NewReader(text), false, func(o *object, err error) {
			b.WriteString(" " + o.name())
			if err != nil {
				b.WriteString("(unreadable)")
			}
		})
		got := p.ResourceVersion + " " + p.Continue + b.String()
		if err != nil {
			got += " error"
		}
		if got != want {
			t.Errorf("%s\n got %q (%v)\nwant %q", text, got, err, want)
		}
	}
}

// repeat gives a text over and over.
type repeat struct {
	text string
	at   int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

func TestWhatIsReadAtOnceIsBounded(t *testing.T) {
	endless := io.MultiReader(strings.NewReader(`{"items":[{"metadata":{"name":"`), &repeat{text: "abcdefgh"})
	if _, err := decodeList(endless, false, func(*object, error) {}); !errors.Is(err, errTooLarge) {
		t.Errorf("list: %v", err)
	}
	endless = io.MultiReader(strings.NewReader(`{"type":"`), &repeat{text: "abcdefgh"})
	if err := events(endless, func(event) error { return nil }); !errors.Is(err, errTooLarge) {
		t.Errorf("watch: %v", err)
	}
	// Many objects that are small are no problem, however long the list.
	n, item := 0, `{"metadata":{"name":"`+strings.Repeat("x", 1000)+`"}},`
	many := io.MultiReader(strings.NewReader(`{"items":[`), io.LimitReader(&repeat{text: item}, int64(len(item)*20_000)), strings.NewReader(`{}]}`))
	if _, err := decodeList(many, false, func(*object, error) { n++ }); err != nil || n != 20_001 {
		t.Errorf("%d items, %v", n, err)
	}
}

func TestEvents(t *testing.T) {
	var got []string
	err := events(strings.NewReader(`{"type":"ADDED","object":{"a":1}}`+"\n"+`{"type":"BOOKMARK","object":{}}`), func(e event) error {
		got = append(got, e.Type+string(e.Object))
		return nil
	})
	if err != nil || fmt.Sprint(got) != `[ADDED{"a":1} BOOKMARK{}]` {
		t.Errorf("%v, %v", got, err)
	}
	if err := events(strings.NewReader(`{"type":"ADD`), func(event) error { return nil }); err == nil {
		t.Error("a broken line is the end")
	}
}

func FuzzDecodeList(f *testing.F) {
	f.Add(`{"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a","labels":{"x":"y"}},"rules":[{"verbs":["get"]}],"subjects":[{"kind":"User"}]}]}`)
	f.Add(`{"items":null}`)
	f.Add(`{"items":[[]]}`)
	f.Fuzz(func(t *testing.T, text string) {
		p := new(Stores)
		_, _ = decodeList(strings.NewReader(text), false, func(o *object, err error) {
			if err == nil {
				userAccount(o)
				binding(o)
				namespace(o)
				p.role(o)
			}
		})
	})
}

// BenchmarkDecodeList is a page of bindings as a cluster sends them.
func BenchmarkDecodeList(b *testing.B) {
	const item = `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"b-%d","namespace":"project-%d","uid":"00000000-0000-4000-8000-000000000000","resourceVersion":"1234567","creationTimestamp":"2026-01-01T00:00:00Z","generation":1,"managedFields":[{"manager":"bench","operation":"Update","apiVersion":"v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:labels":{".":{},"f:kubesphere.io/workspace":{}}},"f:roleRef":{".":{},"f:apiGroup":{},"f:kind":{},"f:name":{}},"f:subjects":{}}}]},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"},"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"user-%d"}]}`
	items := make([]string, pageSize)
	for i := range items {
		items[i] = fmt.Sprintf(item, i, i%50, i%100)
	}
	text := `{"kind":"List","metadata":{"resourceVersion":"1"},"items":[` + strings.Join(items, ",") + `]}`
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		_, err := decodeList(strings.NewReader(text), false, func(o *object, err error) {
			if err == nil && binding(o).Role == "view" {
				n++
			}
		})
		if err != nil || n != pageSize {
			b.Fatal(n, err)
		}
	}
}
