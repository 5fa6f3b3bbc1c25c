package data

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// The examples of RFC 6901, section 5, and what tends to go wrong.
func TestGet(t *testing.T) {
	const doc = ` {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8,
		"dots.and.more": {"x.y": true}, "\u00e9t\u00e9": "summer", "twice": 1, "twice": 2, "deep": [[], [{}, {"z": null}]],
		"tail": "\\\"]}", "last": -1.5e+3 } `
	for pointer, want := range map[string]string{
		"/foo": `["bar", "baz"]`, "/foo/0": `"bar"`, "/foo/1": `"baz"`, "/": `0`, "/a~1b": `1`, "/c%d": `2`, "/e^f": `3`,
		"/g|h": `4`, `/i\j`: `5`, `/k"l`: `6`, "/ ": `7`, "/m~0n": `8`, "/dots.and.more/x.y": `true`, "/été": `"summer"`,
		"/twice": `1`, "/deep/1/1/z": `null`, "/deep/0": `[]`, "/tail": `"\\\"]}"`, "/last": `-1.5e+3`,
		"": strings.TrimSpace(doc),
	} {
		if raw, ok := Get([]byte(doc), pointer); !ok || string(raw) != want {
			t.Errorf("Get(%q) = %q, %v; want %q", pointer, raw, ok, want)
		}
	}
	for _, pointer := range []string{
		"/foo/2", "/foo/-", "/foo/01", "/foo/+1", "/foo/", "/nothing", "/last/0", "foo", "/m~n", "/m~2n", "/a~", "/deep/0/0",
		"/foo/99999999999999999999", "/twice/x", "/été/",
	} {
		if raw, ok := Get([]byte(doc), pointer); ok {
			t.Errorf("Get(%q) = %q; want nothing", pointer, raw)
		}
	}
}

func TestGetRefusesWhatIsNotJSON(t *testing.T) {
	for _, doc := range []string{
		``, ` `, `{`, `{"a"`, `{"a":`, `{"a":}`, `{"a":tru}`, `{"a":01}`, `{"a":1.}`, `{"a":"\x"}`, `{"a":"\u12"}`, "{\"a\":\"\n\"}",
		`{"a":"`, `{"a":"\"}`, `{"a":[1,]}`, `{"a":{"b":1,}}`, `{"a":[}`, `{"a" 1}`, `{"a":-}`, `{"a":1e}`, `{a:1}`, `{"a":+1}`, `{"a":nul`,
		`{"a":` + strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1) + `}`,
	} {
		if raw, ok := Get([]byte(doc), "/a"); ok {
			t.Errorf("Get(%.40q) = %q; want nothing", doc, raw)
		}
	}
	if _, ok := Get([]byte(`{"a":1} x`), ""); ok {
		t.Error("a document with something behind it is whole")
	}
	deep := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	if _, ok := Get([]byte(deep), ""); !ok {
		t.Errorf("a document of depth %d is refused", MaxDepth)
	}
}

func TestText(t *testing.T) {
	doc := []byte(`{"s":"tab\tand é","n":12,"t":true}`)
	for pointer, want := range map[string]string{"/s": "tab\tand é", "/n": "12", "/t": "true"} {
		raw, _ := Get(doc, pointer)
		if text, ok := Text(raw); !ok || string(text) != want {
			t.Errorf("Text(%s) = %q, %v; want %q", raw, text, ok, want)
		}
	}
	if _, ok := Text([]byte(`{}`)); ok {
		t.Error("an object has a text")
	}
}

func TestGetDoesNotAllocate(t *testing.T) {
	doc := podList(50)
	if n := testing.AllocsPerRun(100, func() {
		if _, ok := Get(doc, "/items/49/metadata/name"); !ok {
			t.Fatal("not found")
		}
	}); n != 0 {
		t.Errorf("Get allocates %v times", n)
	}
}

// FuzzGet holds Get against encoding/json: the same values at the same places, for every valid document.
func FuzzGet(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b~/c":"x\ny"}],"":{"":null}}`), "/a/1/b~0~1c")
	f.Add([]byte(`[1e-7,"\ud83d\ude00",{"\u0061":[]}]`), "/2/a")
	f.Add([]byte(`{"a":1,"a":{"b":2}}`), "/a/b")
	f.Add([]byte(`"\\\\\""`), "")
	f.Fuzz(func(t *testing.T, doc []byte, pointer string) {
		raw, ok := Get(doc, pointer)
		if ok && !json.Valid(raw) {
			t.Fatalf("Get gives invalid JSON: %q", raw)
		}
		if !json.Valid(doc) || !utf8.Valid(doc) || !utf8.ValidString(pointer) || depth(doc) > MaxDepth {
			return
		}
		want, exists := oracle(decode(json.NewDecoder(bytes.NewReader(doc))), pointer)
		if exists != ok {
			t.Fatalf("Get(%q, %q) is %v; encoding/json says %v", doc, pointer, ok, exists)
		}
		if ok && !reflect.DeepEqual(decode(json.NewDecoder(bytes.NewReader(raw))), want) {
			t.Fatalf("Get(%q, %q) = %q; encoding/json says %v", doc, pointer, raw, want)
		}
	})
}

// decode reads one value with encoding/json; of members with the same name the first counts.
func decode(d *json.Decoder) any {
	d.UseNumber()
	token, err := d.Token()
	if err != nil {
		panic(err)
	}
	switch token {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			list = append(list, decode(d))
		}
		_, _ = d.Token()
		return list
	case json.Delim('{'):
		object := map[string]any{}
		for d.More() {
			name, _ := d.Token()
			value := decode(d)
			if _, twice := object[name.(string)]; !twice {
				object[name.(string)] = value
			}
		}
		_, _ = d.Token()
		return object
	}
	return token
}

// oracle follows a JSON Pointer through decoded values, in the plainest way.
func oracle(v any, pointer string) (any, bool) {
	if pointer == "" {
		return v, true
	}
	if pointer[0] != '/' {
		return nil, false
	}
	for _, token := range strings.Split(pointer[1:], "/") {
		if strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(token), "~") {
			return nil, false
		}
	}
	for _, token := range strings.Split(pointer[1:], "/") {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		switch c := v.(type) {
		case map[string]any:
			next, ok := c[token]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || strconv.Itoa(i) != token || i < 0 || i >= len(c) {
				return nil, false
			}
			v = c[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// depth is how deep a valid document nests.
func depth(doc []byte) (deepest int) {
	d := json.NewDecoder(bytes.NewReader(doc))
	for now := 0; ; {
		token, err := d.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			now++
			deepest = max(deepest, now)
		case json.Delim(']'), json.Delim('}'):
			now--
		}
	}
}

func TestEach(t *testing.T) {
	for raw, want := range map[string]string{
		`[]`: "", `[ ]`: "", `[1, {"a":[2]} ,"x,y"]`: `1|{"a":[2]}|"x,y"|`, `{"a":1}`: "", `null`: "", ``: "", `[1,[`: "1|",
	} {
		got := ""
		Each([]byte(raw), func(element []byte) bool { got += string(element) + "|"; return true })
		if got != want {
			t.Errorf("Each(%q) gives %q, want %q", raw, got, want)
		}
	}
	n := 0
	Each([]byte(`[1,2,3]`), func([]byte) bool { n++; return n < 2 })
	if n != 2 {
		t.Errorf("Each goes on after false: %d calls", n)
	}
}

func TestMember(t *testing.T) {
	const object = `{"a/b":1,"a":{"b":2},"\u0063":"x","a":3,"t~":null}`
	for name, want := range map[string]string{"a/b": "1", "a": `{"b":2}`, "c": `"x"`, "t~": "null"} {
		if got, ok := Member([]byte(object), name); !ok || string(got) != want {
			t.Errorf("%s: %s, %v", name, got, ok)
		}
	}
	for _, none := range []string{object, `{}`, `[]`, `"a"`, `{"z"`, `{"z":`, ""} {
		if got, ok := Member([]byte(none), "z"); ok {
			t.Errorf("%s: %s", none, got)
		}
	}
}
