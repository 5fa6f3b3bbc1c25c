package data

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/posternhq/postern/hostabi"
)

// golden are the cases of testdata: each file is an array of them.
type golden struct {
	Name    string
	Input   json.RawMessage
	Docs    map[uint32]json.RawMessage
	Program json.RawMessage
	Output  json.RawMessage // what must come out, but for white space
	Error   string          // or what the error must say
}

func (g golden) lookup(handle uint32) ([]byte, bool) {
	doc, ok := g.Docs[handle]
	return doc, ok
}

func TestTransform(t *testing.T) {
	for _, file := range []string{"steps", "expressions", "conditions", "errors", "monitoring"} {
		raw, err := os.ReadFile("testdata/" + file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var cases []golden
		if err := json.Unmarshal(raw, &cases); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, g := range cases {
			t.Run(file+"/"+g.Name, func(t *testing.T) {
				got, err := Transform(g.lookup, g.Input, g.Program, 1<<20)
				switch {
				case g.Error != "" && (err == nil || !strings.Contains(err.Error(), g.Error)):
					t.Errorf("error is %v, not %s; result %s", err, g.Error, got)
				case g.Error == "" && err != nil:
					t.Error(err)
				case g.Error == "" && compact(t, got) != compact(t, g.Output):
					t.Errorf("got  %s\nwant %s", compact(t, got), compact(t, g.Output))
				}
			})
		}
	}
}

func compact(t *testing.T, raw []byte) string {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(json.RawMessage(raw)); err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	return b.String()
}

// The programs in the README compile.
func TestReadmePrograms(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(readme), "```json\n")[1:]
	if len(blocks) != 5 {
		t.Errorf("README has %d programs", len(blocks))
	}
	for _, block := range blocks {
		program, _, _ := strings.Cut(block, "```")
		if _, err := Compile([]byte(program)); err != nil {
			t.Errorf("%v in %s", err, program)
		}
	}
}

// Every step and expression of the language is in the README.
func TestReadmeIsWhole(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for op := range builders {
		if !strings.Contains(string(readme), "| `{\""+op+"\":") {
			t.Errorf("README does not have step %s", op)
		}
	}
}

func TestLimits(t *testing.T) {
	rows := []byte("[" + strings.Repeat("1,", 999) + "1]")
	for name, c := range map[string]struct {
		input, program string
		limit          int64
	}{
		"result":        {string(rows), `[]`, 2000},
		"step":          {string(rows), `[{"map":{"const":"0123456789"}},{"count":true}]`, 10000},
		"amplification": {string(rows), `[{"map":[` + strings.Repeat(`"",`, 1000) + `""]},{"count":true}]`, 1 << 20},
		"nested each":   {string(rows), `[{"build":{"each":{"of":"","do":{"const":"` + strings.Repeat("x", 10000) + `"}}}}]`, 1 << 20},
		"text":          {`["` + strings.Repeat("a", 1000) + `"]`, `[{"map":{"text":[` + strings.Repeat(`"",`, 1000) + `""]}}]`, 1 << 16},
		"missing":       {`[]`, `[{"order":{"key":"","keys":` + string(rows) + `,"missing":{"const":"0123456789"}}},{"count":true}]`, 10000},
		"join":          {string(rows), `[{"map":{"object":{"a":""}}},{"join":{"with":[{"a":1,"b":"0123456789"}],"key":"/a","as":"/x"}},{"count":true}]`, 10000},
		"set":           {string(rows), `[{"map":{"object":{"a":""}}},{"set":{"/x":{"const":"0123456789"}}},{"count":true}]`, 10000},
	} {
		_, err := Transform(nil, []byte(c.input), []byte(c.program), c.limit)
		if !errors.Is(err, hostabi.TooLarge) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	if out, err := Transform(nil, rows, []byte(`[]`), int64(len(rows))); err != nil || string(out) != string(rows) {
		t.Errorf("a result of just the limit: %v", err)
	}
}

func TestErrorsCarryACode(t *testing.T) {
	for program, code := range map[string]hostabi.Code{
		`[{"concat":[{"doc":4}]}]`:     hostabi.NotFound,
		`[{"where":{"in":{"doc":4}}}]`: hostabi.NotFound,
		`[{"get":"a"}]`:                hostabi.BadArgument,
		`[`:                            hostabi.BadArgument,
		`[` + strings.Repeat(`{"count":true},`, 3000) + `1]`: hostabi.TooLarge,
		`["` + strings.Repeat("x", MaxProgram) + `"]`:        hostabi.TooLarge,
	} {
		if _, err := Transform(nil, []byte(`[1]`), []byte(program), 1000); !errors.Is(err, code) {
			t.Errorf("%.60s: error is %v, not %v", program, err, code)
		}
	}
	if _, err := Transform(nil, []byte(`[1`), []byte(`[]`), 1000); !errors.Is(err, hostabi.BadArgument) {
		t.Errorf("malformed input: %v", err)
	}
	broken := func(uint32) ([]byte, bool) { return []byte(`{"a"`), true }
	if _, err := Transform(broken, []byte(`[1]`), []byte(`[{"concat":[{"doc":1}]}]`), 1000); !errors.Is(err, hostabi.BadArgument) {
		t.Errorf("malformed document: %v", err)
	}
}

// A result is memory of its own: the input may be reused.
func TestResultDoesNotAlias(t *testing.T) {
	for _, program := range []string{`[]`, `[{"get":"/a"}]`, `[{"get":"/a"},{"first":true}]`, `[{"build":"/a"}]`, `[{"get":"/a"},{"where":[]}]`} {
		input := []byte(`{"a":["xyz"]}`)
		out, err := Transform(nil, input, []byte(program), 1000)
		if err != nil {
			t.Fatal(err)
		}
		before := string(out)
		for i := range input {
			input[i] = '#'
		}
		if string(out) != before {
			t.Errorf("%s: the result changed with its input", program)
		}
	}
}

// FuzzTransform: no program and no input makes it panic, give invalid JSON or more than was allowed.
func FuzzTransform(f *testing.F) {
	for _, file := range []string{"steps", "expressions", "conditions", "errors", "monitoring"} {
		raw, err := os.ReadFile("testdata/" + file + ".json")
		if err != nil {
			f.Fatal(err)
		}
		var cases []golden
		if err := json.Unmarshal(raw, &cases); err != nil {
			f.Fatal(err)
		}
		for _, g := range cases {
			f.Add([]byte(g.Input), []byte(g.Program), []byte(g.Docs[1]))
		}
	}
	f.Fuzz(func(t *testing.T, input, program, doc []byte) {
		const limit = 1 << 16
		lookup := func(uint32) ([]byte, bool) { return doc, len(doc) > 0 }
		out, err := Transform(lookup, input, program, limit)
		if err != nil {
			if code := hostabi.OK; !errors.As(err, &code) || code == hostabi.Internal {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		if !json.Valid(out) || len(out) > limit {
			t.Fatalf("%d bytes come out: %.200q", len(out), out)
		}
	})
}
