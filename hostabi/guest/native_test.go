//go:build !wasip1

package guest

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/posternhq/postern/hostabi"
)

// host is a hostabi.Native of the tests' own: it keeps what it is told and answers by table.
type host struct {
	fields       map[hostabi.Field]string
	method, path string

	calls   []hostabi.Record
	room    int // calls that may be under way; 0: any number
	open    int
	fail    map[uint32]hostabi.Code // by token
	status  uint32
	message string
	body    strings.Builder
	ended   bool

	values   map[string]string // by JSON Pointer
	document string            // given to handle_new
	dropped  uint32
	lines    []string
}

func (h *host) field(f hostabi.Field) *string {
	if f == hostabi.FieldMethod {
		return &h.method
	}
	return &h.path
}

// Invoke implements hostabi.Native.
func (h *host) Invoke(_, function string, args ...any) int64 {
	switch function {
	case "request_field":
		return give(h.fields[hostabi.Field(args[1].(uint32))], args[2])
	case "response_write":
		h.body.Write(args[1].([]byte))
	case "response_splice":
		h.body.WriteString("<" + strconv.Itoa(int(args[1].(uint32))) + ">")
	case "response_status", "response_header":
	case "response_error":
		h.status, h.message = args[1].(uint32), args[2].(string)
	case "response_end":
		h.ended = true
	case "error_of", "last_error":
		return give("the reason", args[len(args)-1])
	case "settings":
		return give(strings.Repeat("s", 1000), args[0])
	case "handle_new":
		h.document = string(args[1].([]byte))
		return 5
	case "handle_drop":
		h.dropped = args[1].(uint32)
	case "json_get":
		if value, ok := h.values[args[2].(string)]; ok {
			return give(value, args[3])
		}
		return -int64(hostabi.NotFound)
	case "log":
		h.lines = append(h.lines, strconv.Itoa(int(args[0].(uint32)))+args[1].(string))
	case "call", "forward", "query":
		if h.room > 0 && h.open == h.room {
			return -int64(hostabi.Busy)
		}
		h.open++
		h.calls = append(h.calls, hostabi.Record(args[1].([]byte)))
		return int64(len(h.calls))
	default:
		return -int64(hostabi.BadArgument)
	}
	return 0
}

func give(value string, into any) int64 {
	if buf := into.([]byte); len(value) <= len(buf) {
		copy(buf, value)
	}
	return int64(len(value))
}

// Wait implements hostabi.Native.
func (h *host) Wait(token uint32) hostabi.Completion {
	h.open--
	return hostabi.Completion{Token: token, Code: h.fail[token], Handle: 100 + token, Status: 200}
}

// during runs f while an exchange of h is there.
func (h *host) during(f func(ex uint32)) {
	const ex = 7
	hosts.Store(uint32(ex), nativeExchange{h, context.Background()})
	defer hosts.Delete(uint32(ex))
	current.Lock()
	current.host = h
	current.Unlock()
	f(ex)
}

// TestServe: an error becomes an answer; a handler that has handed the exchange on answers nothing.
func TestServe(t *testing.T) {
	old := routes
	defer func() { routes = old }()
	routes = mux{}
	errs := map[string]error{
		"ok": nil, "fail": Fail(418, "short and stout"), "wrapped": errors.Join(errors.New("x"), hostabi.Denied), "plain": errors.New("plain"),
		"busy": &CallError{Code: hostabi.Busy}, "deadline": &CallError{Code: hostabi.Deadline, Reason: "too slow"},
	}
	for name, err := range errs {
		Handle("GET", "/"+name, func(*Request, *Response) error { return err })
	}
	Handle("GET", "/pass", func(r *Request, w *Response) error {
		return errors.Join(r.Forward(w, HTTP{Backend: "b", Path: "/p?q", DropHeaders: []string{"X"}}), errors.New("too late"))
	})
	for path, want := range map[string]struct {
		status  uint32
		message string
		ended   bool
	}{
		"/ok": {0, "", true}, "/fail": {418, "short and stout", true}, "/wrapped": {403, "x\ndenied", true}, "/plain": {500, "plain", true},
		"/busy": {503, "busy", true}, "/deadline": {504, "too slow", true}, "/pass": {0, "", false},
		"/none": {404, "the server could not find the requested resource", true},
	} {
		h := &host{fields: map[hostabi.Field]string{hostabi.FieldMethod: "GET", hostabi.FieldModulePath: path}}
		ServeNative(t.Context(), h, 1)
		if h.status != want.status || h.message != want.message || h.ended != want.ended {
			t.Errorf("%s: got %d %q %t", path, h.status, h.message, h.ended)
		}
	}
}

// TestAskAll: the answers are in the questions' order, also when the host has no room for all at once.
func TestAskAll(t *testing.T) {
	for _, room := range []int{0, 1, 3} {
		h := &host{room: room, fail: map[uint32]hostabi.Code{2: hostabi.Upstream}}
		h.during(func(ex uint32) {
			r := &Request{ex: ex}
			questions := make([]Prometheus, 10)
			for i := range questions {
				questions[i].Expr = strings.Repeat("x", i+1)
			}
			for i, a := range r.AskAll(questions) {
				if got := len(h.calls[i].Get(hostabi.TagExpr)); got != i+1 || a.Data.Handle() != uint32(101+i) {
					t.Errorf("room %d: answer %d is of question %d, handle %d", room, i, got-1, a.Data.Handle())
				}
				var call *CallError
				if failed := errors.As(a.Err, &call); failed != (i == 1) || failed && (call.Code != hostabi.Upstream || call.Reason != "the reason") {
					t.Errorf("room %d: answer %d has error %v", room, i, a.Err)
				}
			}
			if len(h.calls) != 10 || h.open != 0 {
				t.Errorf("room %d: %d calls, %d under way", room, len(h.calls), h.open)
			}
		})
	}
}

// TestRecords: what a call says of itself.
func TestRecords(t *testing.T) {
	h := new(host)
	h.during(func(ex uint32) {
		r := &Request{ex: ex}
		_, _ = r.List(Object{Group: "g", Version: "v1", Resource: "things", LabelSelector: "a=b", AsModule: true, Cached: true, Limit: 5, Timeout: 1500})
		_, _ = r.Ask(Prometheus{Operation: "query_range", Expr: "up", Start: 1.5, End: 1790000000, Step: 60})
		_, _, _ = r.Do(HTTP{Backend: "b", Path: "/x", Method: "PUT", Headers: [][2]string{{"A", "b: c"}}, Body: []byte{}})
	})
	for i, want := range []map[hostabi.Tag]string{
		{
			hostabi.TagOperation: "list", hostabi.TagGroup: "g", hostabi.TagVersion: "v1", hostabi.TagResource: "things",
			hostabi.TagLabelSelector: "a=b", hostabi.TagAs: "module", hostabi.TagSource: "cache", hostabi.TagLimit: "5", hostabi.TagTimeout: "1500",
		},
		{hostabi.TagOperation: "query_range", hostabi.TagExpr: "up", hostabi.TagStart: "1.5", hostabi.TagEnd: "1790000000", hostabi.TagStep: "60"},
		{hostabi.TagBackend: "b", hostabi.TagPath: "/x", hostabi.TagMethod: "PUT", hostabi.TagHeader: "A: b: c", hostabi.TagBody: ""},
	} {
		if err := h.calls[i].Validate(); err != nil {
			t.Error(err)
		}
		n := 0
		for tag, value := range h.calls[i].All() {
			n++
			if v, ok := want[tag]; !ok || v != string(value) {
				t.Errorf("call %d: tag %d is %q, want %q", i, tag, value, v)
			}
		}
		if n != len(want) {
			t.Errorf("call %d has %d fields, want %d", i, n, len(want))
		}
	}
}

// TestGrow: values longer than the first buffer come whole.
func TestGrow(t *testing.T) {
	new(host).during(func(uint32) {
		if got := Settings(); got != strings.Repeat("s", 1000) {
			t.Errorf("got %d bytes", len(got))
		}
	})
}

// TestReaders: settings and numbers by JSON Pointer, and nothing is left behind.
func TestReaders(t *testing.T) {
	h := &host{values: map[string]string{"/language": "de", "/n": "-7", "/f": "1.5"}}
	h.during(func(ex uint32) {
		r := &Request{ex: ex}
		if got, ok := r.Setting("/language"); got != "de" || !ok || h.document != strings.Repeat("s", 1000) || h.dropped != 5 {
			t.Errorf("got %q, %t, handle %d dropped", got, ok, h.dropped)
		}
		if got, ok := r.Setting("/none"); got != "" || ok {
			t.Errorf("got %q, %t for a setting that is not there", got, ok)
		}
		d := Data{ex, 5}
		for pointer, want := range map[string]int64{"/n": -7, "/f": 0, "/none": 0} {
			if got, ok := d.Int(pointer); got != want || ok != (want != 0) {
				t.Errorf("%s: got %d, %t", pointer, got, ok)
			}
		}
		Debug("a")
		Info("b")
		Warn("c")
		if got := strings.Join(h.lines, " "); got != "0a 1b 2c" {
			t.Errorf("got log %q", got)
		}
	})
}

// TestGone: outside an exchange every function says so.
func TestGone(t *testing.T) {
	r := &Request{ex: 12345}
	if _, err := r.Get(Object{}); !errors.Is(err, hostabi.Gone) {
		t.Errorf("got %v", err)
	}
	if r.Path() != "" || r.Groups() != nil {
		t.Error("a request that is over has a path or groups")
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("a\"\\\n\x00\x7fü\u2028\xff")
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal([]byte(Quote(s)), &got); err != nil || got != strings.ToValidUTF8(s, "\ufffd") && strings.ToValidUTF8(s, "") == s {
			t.Errorf("%q became %s: %q, %v", s, Quote(s), got, err)
		}
	})
}
