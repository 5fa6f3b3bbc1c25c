package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strings"

	"github.com/posternhq/postern/gateway/module/data"
)

// Expect is what an answer must be like. Without anything any status below 400 will do.
type Expect struct {
	Status   string // 200, or 2xx
	Header   [][2]string
	Body     []string // the lines, without a newline at the end
	Contains []string
	JSON     []JSON
}

// JSON is what stands at a JSON Pointer of the body.
type JSON struct{ Pointer, Value string }

func (e *Expect) any() bool {
	return e.Status != "" || len(e.Header)+len(e.Body)+len(e.Contains)+len(e.JSON) > 0
}

var statusForm = regexp.MustCompile(`^[1-5](xx|[0-9][0-9])$`)

// add takes a comment that begins with expect.
func (e *Expect) add(key, value string) error {
	switch key {
	case "expect":
		if !statusForm.MatchString(value) {
			return fmt.Errorf("cannot expect %q: want a status such as 200 or 2xx", value)
		}
		e.Status = value
	case "expect-header":
		name, text, ok := strings.Cut(value, ":")
		if !ok {
			return fmt.Errorf("cannot expect header %q: want Name: value", value)
		}
		e.Header = append(e.Header, [2]string{strings.TrimSpace(name), strings.TrimSpace(text)})
	case "expect-body":
		e.Body = append(e.Body, value)
	case "expect-contains":
		e.Contains = append(e.Contains, value)
	case "expect-json":
		pointer, text, _ := strings.Cut(value, " ")
		if pointer == `""` { // the whole body
			pointer = ""
		}
		if !json.Valid([]byte(text)) || pointer != "" && pointer[0] != '/' {
			return fmt.Errorf("cannot expect JSON %q: want /pointer VALUE, where VALUE is JSON: \"text\", 7, true, {…}", value)
		}
		e.JSON = append(e.JSON, JSON{pointer, strings.TrimSpace(text)})
	default:
		return fmt.Errorf("unknown expectation %q: want expect, expect-header, expect-body, expect-contains or expect-json", key)
	}
	return nil
}

// Answer is what came.
type Answer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
}

// Check says what of a is not as expected; nothing when all is.
func (e *Expect) Check(a Answer) (wrong []string) {
	if !e.status(a.Status) {
		want := e.Status
		if want == "" {
			want = "a status below 400"
		}
		wrong = append(wrong, fmt.Sprintf("status is %d, want %s; the body is %s", a.Status, want, short(a.Body)))
	}
	for _, h := range e.Header {
		if got := strings.Join(a.Header.Values(h[0]), ", "); got != h[1] {
			wrong = append(wrong, fmt.Sprintf("header %s is %q, want %q", h[0], got, h[1]))
		}
	}
	if want := strings.Join(e.Body, "\n"); len(e.Body) > 0 && strings.TrimSuffix(a.Body, "\n") != want {
		wrong = append(wrong, fmt.Sprintf("body is %s, want %s", short(a.Body), short(want)))
	}
	for _, want := range e.Contains {
		if !strings.Contains(a.Body, want) {
			wrong = append(wrong, fmt.Sprintf("body is %s, want %q in it", short(a.Body), want))
		}
	}
	for _, j := range e.JSON {
		wrong = append(wrong, j.check(a.Body)...)
	}
	return wrong
}

func (e *Expect) status(got int) bool {
	switch {
	case e.Status == "":
		return got < 400
	case strings.HasSuffix(e.Status, "xx"):
		return got/100 == int(e.Status[0]-'0')
	}
	return fmt.Sprint(got) == e.Status
}

// check compares values, not spellings: 1.0 is 1, members have no order.
func (j *JSON) check(body string) []string {
	if !json.Valid([]byte(body)) {
		return []string{"body is not JSON: " + short(body)}
	}
	raw, ok := data.Get([]byte(body), j.Pointer)
	if !ok {
		return []string{fmt.Sprintf("body has nothing at %q, want %s; it is %s", j.Pointer, j.Value, short(body))}
	}
	if !reflect.DeepEqual(decoded(raw), decoded([]byte(j.Value))) {
		return []string{fmt.Sprintf("%q is %s, want %s", j.Pointer, short(string(raw)), j.Value)}
	}
	return nil
}

func decoded(raw []byte) (v any) {
	_ = json.NewDecoder(bytes.NewReader(raw)).Decode(&v) // both were found valid
	return v
}

// short is text as it fits into a message.
func short(text string) string {
	const most = 600
	if len(text) > most {
		return fmt.Sprintf("%q… (%d bytes)", text[:most], len(text))
	}
	return fmt.Sprintf("%q", text)
}
