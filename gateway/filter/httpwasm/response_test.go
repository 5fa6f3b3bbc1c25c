package httpwasm

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// long is longer than what comes at once with a head: it is streamed.
var long = strings.Repeat("0123456789", 20_000)

// backend answers by the path: what tests of answers need.
var backend = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Backend", "1")
	w.Header().Add("X-Twice", "1")
	w.Header().Add("X-Twice", "2")
	switch r.URL.Path {
	case "/long":
		w.Header().Set("Content-Length", fmt.Sprint(len(long)))
		_, _ = io.WriteString(w, long)
	case "/chunks":
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, long)
	case "/trailers":
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "42")
	case "/teapot":
		w.WriteHeader(http.StatusTeapot)
	case "/empty":
	case "/cookies":
		w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
		w.Header().Set("Content-Encoding", "x-none")
		_, _ = io.WriteString(w, "body")
	default:
		_, _ = io.WriteString(w, "body")
	}
})

// TestAnswer has the guest make answers of its own, and read and change those of the backend.
func TestAnswer(t *testing.T) {
	for _, c := range []struct {
		name, script string
		method, path string
		code         int    // default 200
		want         string // header X-Out
		head         string // NAME=VALUES of another header
		body         string // default: as the backend sent it
	}{
		{name: "made by the guest", script: `
			req stop
			req set_status 403
			req set 1 content-type text/x
			req write 1 no,
			req write 1 never`, code: 403, head: "Content-Type=text/x", body: "no,never"},
		{name: "made by the guest, with nothing in it", script: `req stop 7`, body: "-"},
		{name: "passes untouched", path: "/chunks", script: `start enable 7`, head: "X-Twice=1|2"},
		{name: "the guest's number comes back", script: `
			req next 4294967295
			res ctx
			res say ;
			res error
			res say ;
			res status
			res out 1 X-Out`, want: "4294967295;0;200"},
		{name: "headers of both", script: `
			req set 1 X-Out early
			req add 1 X-Twice 0`, want: "early", head: "X-Twice=0|1|2"},
		{name: "headers are read and changed without buffering", path: "/long", script: `
			res values 1 x-twice
			res set 1 x-TWICE 3
			res del 1 X-BACKEND
			res values 1 x-backend
			res out 1 X-Out`, want: "2:1,2,0:", head: "X-Twice=3"},
		{name: "names", path: "/empty", script: `
			res del 1 date
			res del 1 content-length
			res names 1
			res out 1 X-Out`, want: "2:x-backend,x-twice,", body: "-"},
		{name: "the status is read and changed", path: "/teapot", script: `
			start enable 2
			res status
			res set_status 500
			res out 1 X-Out`, want: "418", code: 500, body: "-"},
		{name: "a body is read", script: `
			start enable 2
			res read 1 2
			res say ;
			res readall 1
			res out 1 X-Out`, want: "bo;dy$"},
		{name: "an empty body is read", path: "/empty", script: `
			start enable 2
			res readall 1
			res out 1 X-Out`, want: "$", body: "-"},
		{name: "a streamed body is read", path: "/long", script: `
			start enable 2
			res read 1 12
			res out 1 X-Out`, want: "012345678901"},
		{name: "a chunked body is read", path: "/chunks", script: `
			start enable 2
			res read 1 12
			res out 1 X-Out`, want: "012345678901"},
		{name: "a body is replaced", path: "/long", script: `
			start enable 2
			res write 1 new,
			res write 1 newer`, body: "new,newer"},
		{name: "a body is replaced after it was read", path: "/chunks", script: `
			start enable 2
			res read 1 5
			res write 1 new`, body: "new"},
		{name: "a body is replaced by nothing", script: `
			start enable 2
			res write 1`, body: "-"},
		{name: "features can be enabled for one request", script: `
			req enable 2
			res write 1 new`, body: "new"},
		{name: "a body is written ahead", script: `req write 1 ahead;`, body: "ahead;body"},
		{name: "a body is written ahead of none", path: "/empty", script: `req write 1 ahead`, body: "ahead"},
		{name: "a body written ahead is replaced", script: `
			start enable 2
			req write 1 ahead;
			res write 1 new`, body: "new"},
		{name: "HEAD has no body", method: "HEAD", path: "/long", script: `
			start enable 2
			res readall 1
			res say .
			res out 1 X-Out`, want: "$.", head: "Content-Length=200000", body: "-"},
		{name: "cookies and codings", path: "/cookies", script: `
			res values 1 set-cookie
			res values 1 content-encoding
			res out 1 X-Out
			res del 1 content-encoding
			res add 1 set-cookie c=3`, want: "2:a=1,b=2,1:x-none,", head: "Set-Cookie=a=1|b=2|c=3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := serve(t, makeFilter(t, script, c.script, nil), proxy(t, backend))
			if c.method == "" {
				c.method = "GET"
			}
			if c.code == 0 {
				c.code = 200
			}
			if c.body == "" {
				c.body = "body"
				if c.path == "/long" || c.path == "/chunks" {
					c.body = long
				}
			}
			got := ask(t, c.method, url+c.path, "")
			if out := got.header.Get("X-Out"); got.code != c.code || out != c.want {
				t.Errorf("%d %q, want %d %q", got.code, out, c.code, c.want)
			}
			if want := strings.TrimPrefix(c.body, "-"); got.body != want {
				t.Errorf("body of %d bytes %.40q, want %d %.40q", len(got.body), got.body, len(want), want)
			}
			if name, values, ok := strings.Cut(c.head, "="); ok && strings.Join(got.header.Values(name), "|") != values {
				t.Errorf("%s is %q, want %q", name, got.header.Values(name), values)
			}
		})
	}
}

// TestAnswerTrailers has the guest see trailers that the backend sends, and send its own.
func TestAnswerTrailers(t *testing.T) {
	for _, c := range []struct{ name, path, script, want, trailers, body string }{
		{"pass untouched", "/trailers", ``, "", "X-Sum=42", "body"},
		{"are read", "/trailers", `
			start enable 6
			res names 3
			res values 3 x-sum
			res out 1 X-Out`, "1:x-sum,1:42,", "X-Sum=42", "body"},
		{"are changed", "/trailers", `
			start enable 6
			res set 3 x-sum 43
			res add 3 X-Sum 44`, "", "X-Sum=43|44", "body"},
		{"are removed", "/trailers", `
			start enable 6
			res del 3 x-SUM
			res names 3
			res out 1 X-Out`, "0:", "", "body"},
		{"are made behind a body that had none", "/", `
			start enable 6
			res set 3 X-New 1`, "", "X-New=1", "body"},
		{"are made behind a body of the guest's", "/", `
			start enable 6
			res write 1 own
			res set 3 X-New 1`, "", "X-New=1", "own"},
		{"are made behind an answer of the guest's", "/", `
			start enable 4
			req stop
			req write 1 own
			req set 3 X-New 1`, "", "X-New=1", "own"},
		{"that no trailer may be are left out", "/", `
			start enable 6
			res set 3 content-length 1
			res set 3 authorization x
			res set 3 X-New 1`, "", "X-New=1", "body"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ask(t, "GET", serve(t, makeFilter(t, script, c.script, nil), proxy(t, backend))+c.path, "")
			var trailers []string
			for name, values := range got.trailer {
				if len(values) > 0 {
					trailers = append(trailers, name+"="+strings.Join(values, "|"))
				}
			}
			if out := got.header.Get("X-Out"); out != c.want || got.body != c.body || strings.Join(trailers, ",") != c.trailers {
				t.Errorf("%q %q, trailers %q; want %q %q, %q", out, got.body, trailers, c.want, c.body, c.trailers)
			}
		})
	}
}

// TestRequestTrailers has the guest see trailers of the client's, and send the backend its own.
func TestRequestTrailers(t *testing.T) {
	for _, c := range []struct{ name, script, want, seen string }{
		{"pass untouched", ``, "", "body=abc\ntrailer X-Sum=42\n"},
		{"are read", `
			start enable 5
			req names 2
			req values 2 x-sum
			req out 1 X-Out`, "1:x-sum,1:42,", "body=abc\ntrailer X-Sum=42\n"},
		{"stay behind a body of the guest's", `
			start enable 5
			req readall 0
			req write 0 own`, "", "body=own\ntrailer X-Sum=42\n"},
		{"are changed", `
			start enable 5
			req set 2 x-sum 43`, "", "body=abc\ntrailer X-Sum=43\n"},
		{"are removed", `
			start enable 5
			req values 2 x-sum
			req del 2 x-sum`, "", "body=abc\n"},
		{"are made", `
			start enable 5
			req readall 0
			req del 2 x-sum
			req set 2 X-New 1`, "", "trailer X-New=1\n"},
		{"cannot say who asks", `
			start enable 5
			req set 2 Impersonate-User root`, "", "body=abc\ntrailer X-Sum=42\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), "POST", front(t, c.script, nil), io.MultiReader(strings.NewReader("abc")))
			if err != nil {
				t.Fatal(err)
			}
			r.Trailer = http.Header{"X-Sum": {"42"}}
			got := do(t, r)
			if out := got.header.Get("X-Out"); got.code != 200 || out != c.want || !strings.HasSuffix(got.body, c.seen) {
				t.Errorf("%d %q, the backend saw %q; want %q, %q", got.code, out, got.body, c.want, c.seen)
			}
		})
	}
}
