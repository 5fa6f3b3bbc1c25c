package visible

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// parts are a list's fields and objects as the listing reads them.
func parts(r io.Reader) (fields, items []string, err error) {
	l := listing{
		in:    newValues(r),
		field: func(f field) error { fields = append(fields, f.name+"="+f.value); return nil },
		array: func(name string) error { fields = append(fields, name); return nil },
		item:  func(b []byte) error { items = append(items, string(b)); return nil },
	}
	return fields, items, l.read()
}

func TestListing(t *testing.T) {
	big := strings.Repeat(`\"x`, 20000)
	for text, want := range map[string][]string{
		`{"kind":"L","metadata":{"a":[1]},"items":[{"a":1},{"b":"}]"}]}`: {`kind="L"`, `metadata={"a":[1]}`, "items", `{"a":1}`, `{"b":"}]"}`},
		`{"items":[],"kind":"L"}`:                                        {"items", `kind="L"`},
		`{"items":null,"metadata":{}}`:                                   {"items", `metadata={}`},
		" {\n \"items\" : [ {} , {} ] ,\n \"n\" : 17 , \"t\" : true }\n": {"items", `n=17`, `t=true`, `{}`, `{}`},
		`{"rows":[{"cells":["\\",null]}]}`:                               {"rows", `{"cells":["\\",null]}`},
		`{"items":[{"a":"` + big + `"},{}]}`:                             {"items", `{"a":"` + big + `"}`, `{}`},
		`{"it\u0065ms":[1,"a",null]}`:                                    {"items", "1", `"a"`, "null"},
	} {
		for name, r := range map[string]io.Reader{"at once": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text))} {
			fields, items, err := parts(r)
			if got := slices.Concat(fields, items); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s, %.80s: %v, %.200q", name, text, err, got)
			}
		}
	}
}

func TestListingRefuses(t *testing.T) {
	for _, text := range []string{
		"", "[]", `"x"`, "{", `{"a"`, `{"a":`, `{"a":1`, `{"items":[`, `{"items":[{}`, `{"items":[{},`, `{"items":[,{}]}`, `{"items":[{}{}]}`, `{"a":1 "b":2}`,
		`{1:2}`, `{"a":"x`, `{"items":[{"a":"\"}]}`, `{"a" 1}`,
	} {
		if fields, items, err := parts(strings.NewReader(text)); err == nil {
			t.Errorf("%q: %q %q", text, fields, items)
		}
	}
	long := `{"items":["` + strings.Repeat("x", maxValue) + `"]}`
	if _, _, err := parts(strings.NewReader(long)); !errors.Is(err, errSize) {
		t.Errorf("a long value: %v", err)
	}
}

// FuzzListing holds the listing against encoding/json: what that reads as a list, the listing reads as the same one, however
// it comes; what the listing hands on is no more than what came.
func FuzzListing(f *testing.F) {
	f.Add([]byte(`{"kind":"L","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a"}},{"x":"\\\"}"}]}`))
	f.Add([]byte(`{"items":null,"rows":[1, "a" ,[{}]]}`))
	f.Add([]byte(`{"a":{},"items":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		fields, items, err := parts(bytes.NewReader(text))
		again, same, slow := parts(iotest.OneByteReader(bytes.NewReader(text)))
		if (err == nil) != (slow == nil) || err == nil && (!slices.Equal(fields, again) || !slices.Equal(items, same)) {
			t.Fatalf("at once %q %q %v, byte by byte %q %q %v", fields, items, err, again, same, slow)
		}
		if len(strings.Join(items, "")) > len(text) {
			t.Fatalf("%q of %q", items, text)
		}
		var want map[string]json.RawMessage
		if json.Unmarshal(text, &want) != nil || want == nil {
			return
		}
		if err != nil {
			t.Fatalf("cannot read %q: %v", text, err)
		}
		for _, item := range items {
			if !json.Valid([]byte(item)) {
				t.Fatalf("%q of %q", item, text)
			}
		}
	})
}

// FuzzIdentify holds identify against encoding/json where names are told once.
func FuzzIdentify(f *testing.F) {
	f.Add([]byte(`{"kind":"Pod","metadata":{"name":"a","namespace":"b","labels":{"kubesphere.io/workspace":"w"}},"spec":{}}`))
	f.Add([]byte(`{"metadata":{"labels":{"x":"\"}"},"managedFields":[{}],"n\u0061me":"\u0062"}}`))
	f.Add([]byte(`{"metadata":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		id, ok := identify(text, true)
		if !json.Valid(text) || bytes.ContainsAny(text, "\x80\xff") || twice(text) {
			return
		}
		var o struct {
			Metadata *struct {
				Name, Namespace any
				Labels          any
			}
		}
		if json.Unmarshal(text, &o) != nil {
			return
		}
		if ok != (o.Metadata != nil) {
			t.Fatalf("%q: %v", text, ok)
		}
		if o.Metadata == nil {
			return
		}
		if name, _ := o.Metadata.Name.(string); name != string(id.name) {
			t.Fatalf("%q: name %q", text, id.name)
		}
		if ns, _ := o.Metadata.Namespace.(string); ns != string(id.namespace) {
			t.Fatalf("%q: namespace %q", text, id.namespace)
		}
	})
}

// twice says whether a key may be there twice, which Kubernetes never writes, or in another case, which encoding/json takes
// for the same.
func twice(text []byte) bool {
	lower := bytes.ToLower(text)
	for _, key := range []string{"name", "namespace", "metadata", "labels"} {
		if n := bytes.Count(lower, []byte(key)); n > 1 && key != "name" || n != bytes.Count(text, []byte(key)) {
			return true
		}
	}
	return bytes.Count(lower, []byte(`"name"`)) > 1 || bytes.IndexByte(text, '\\') >= 0 || bytes.ContainsFunc(text, func(r rune) bool { return r > 127 }) ||
		bytes.Contains(lower, []byte("managedfields"))
}

// FuzzToken reads tokens: what is accepted is a place, and the same one when it has been written again.
func FuzzToken(f *testing.F) {
	f.Add(place{Version: "17", At: "a", Continue: "x"}.encode())
	f.Add(place{Continue: "x", Whole: true}.encode())
	f.Add("postern1.e30")
	f.Fuzz(func(t *testing.T, token string) {
		p, err := parsePlace(token)
		if err != nil {
			return
		}
		if again, err := parsePlace(p.encode()); err != nil || again != p {
			t.Fatalf("%+v, then %+v, %v", p, again, err)
		}
		if strings.Trim(p.Version, "0123456789") != "" || p.At == "" && p.Continue == "" {
			t.Fatalf("%+v", p)
		}
	})
}

func TestIdentify(t *testing.T) {
	for text, want := range map[string]string{
		`{"metadata":{"name":"a","namespace":"b","labels":{"kubesphere.io/workspace":"w"}}}`:                                                                                    "b/a@w",
		`{"apiVersion":"v1","metadata":{"labels":{"x":"y","kubesphere.io/workspace":"w"},"managedFields":[{"f:metadata":{"name":"no"}}],"name":"a","namespace":"b"},"spec":{}}`: "b/a@w",
		`{"spec":{"metadata":{"name":"no"}},"metadata":{"annotations":{"name":"no"},"name":"a"}}`:                                                                               "/a@",
		`{"metadata":{"name":"a\u0062"}}`:           "/ab@",
		`{"metadata":{"name":5,"namespace":["x"]}}`: "/@",
		`{"metadata":[]}`:                           "", `{}`: "", `[]`: "", ``: "", `{"metadata"`: "",
	} {
		id, ok := identify([]byte(text), true)
		if got := string(id.namespace) + "/" + string(id.name) + "@" + string(id.workspace); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %s, %v", text, got, ok)
		}
	}
}
