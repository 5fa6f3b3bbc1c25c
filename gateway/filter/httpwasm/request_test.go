package httpwasm

import (
	"strings"
	"testing"
)

// TestRequest has the guest read and change requests; want are lines that the backend, which echoes, saw.
func TestRequest(t *testing.T) {
	for _, c := range []struct {
		name, script string
		method, path string
		body         string
		head         []string
		want         string // header X-Out of the answer, which the guest sets
		seen         string // by the backend
	}{
		{name: "reads what is asked", method: "PUT", path: "/a%26b?c=d%26e", script: `
			req method
			req say ;
			req uri
			req say ;
			req version
			req out 1 X-Out`, want: "PUT;/a%26b?c=d%26e;HTTP/1.1", seen: "PUT /a%26b?c=d%26e\n"},
		{name: "a buffer that is too small gets nothing", path: "/long", script: `
			req limit 4
			req uri
			req out 1 X-Out`, want: "!5"},
		{name: "changes what is asked", script: `
			req set_method POST
			req set_uri /other%20one?x=1`, seen: "POST /other%20one?x=1\n"},
		{name: "an empty URI is the root", path: "/deep", script: `req set_uri`, seen: "GET /\n"},
		{name: "headers have all their values, in any case", head: []string{"X-A", "1", "x-a", "2"}, script: `
			req values 0 x-A
			req values 0 nothing
			req out 1 X-Out`, want: "2:1,2,0:", seen: "X-A=1|2\n"},
		{name: "names come once, in lower case", head: []string{"X-A", "1", "x-a", "2"}, script: `
			req del 0 user-agent
			req del 0 accept-encoding
			req del 0 content-length
			req del 0 host
			req names 0
			req out 1 X-Out`, want: "1:x-a,"},
		{name: "set replaces", head: []string{"X-A", "1", "x-a", "2"}, script: `req set 0 x-a 3`, seen: "X-A=3\n"},
		{name: "add appends, in order", head: []string{"X-A", "1"}, script: `
			req add 0 x-a 2
			req add 0 X-A 3`, seen: "X-A=1|2|3\n"},
		{name: "remove deletes all", head: []string{"X-A", "1", "x-a", "2", "X-B", "3"}, script: `req del 0 X-a`, seen: "/\nX-B=3\n"},
		{name: "headers that are special to the server", script: `
			req set 0 user-agent own
			req set 0 content-type text/x
			req values 0 host
			req values 0 cookie
			req out 1 X-Out`, head: []string{"Cookie", "a=b; c=d"}, want: "1:HOST,1:a=b; c=d,", seen: "Content-Type=text/x\nUser-Agent=own\n"},
		{name: "framing is the host's", method: "POST", body: "abc", script: `
			req set 0 content-length 1
			req set 0 transfer-encoding gzip
			req set 0 connection close
			req del 0 content-length`, seen: "body=abc\n"},
		{name: "who asks is the gateway's to say", script: `
			req set 0 impersonate-user root
			req add 0 X-Remote-User root
			req set 0 x-b 1`, seen: "X-B=1\nUser-Agent=test\nbody="},
		{name: "a body is read", method: "POST", body: "0123456789", script: `
			start enable 1
			req read 0 4
			req readall 0
			req out 1 X-Out`, want: "0123456789$", seen: "body=0123456789\n"},
		{name: "an empty body ends at once", method: "POST", script: `
			start enable 1
			req read 0 4
			req out 1 X-Out`, want: "$", seen: "body=\n"},
		{name: "without buffering what is read is gone", method: "POST", body: "0123456789", script: `
			req read 0 4
			req out 1 X-Out`, want: "0123", seen: "body=456789\n"},
		{name: "without buffering, all of it", method: "POST", body: "0123456789", script: `
			req readall 0
			req out 1 X-Out`, want: "0123456789$", seen: "body=\n"},
		{name: "a body is replaced", method: "POST", body: "0123456789", script: `
			req write 0 abc
			req write 0 def`, seen: "body=abcdef\n"},
		{name: "a body is replaced after it was read", method: "POST", body: "0123456789", script: `
			start enable 1
			req readall 0
			req write 0 abc
			req out 1 X-Out`, want: "0123456789$", seen: "body=abc\n"},
		{name: "a body is made", script: `
			req set_method POST
			req write 0 abc`, seen: "POST /\nUser-Agent=test\nbody=abc\n"},
		{name: "a body is replaced by nothing", method: "POST", body: "0123456789", script: `req write 0`, seen: "body=\n"},
		{name: "the request's body is there after the answer", method: "POST", body: "abc", script: `
			start enable 1
			req read 0 2
			res readall 0
			res out 1 X-Out`, want: "abc$"},
		{name: "features", script: `
			start enable 1
			req enable 4
			req say ;
			req enable 0
			req say ;
			req enable 255
			req out 1 X-Out`, want: "5;5;7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := front(t, c.script, nil)
			if c.method == "" {
				c.method = "GET"
			}
			if c.path == "" {
				c.path = "/"
			}
			got := ask(t, c.method, url+c.path, c.body, c.head...)
			want := strings.ReplaceAll(c.want, "HOST", strings.TrimPrefix(url, "http://"))
			if out := got.header.Get("X-Out"); got.code != 200 || out != want {
				t.Errorf("%d %q, want %q", got.code, out, want)
			}
			if !strings.Contains(got.body, c.seen) {
				t.Errorf("the backend saw %q, want %q", got.body, c.seen)
			}
		})
	}
}

func TestSourceAddress(t *testing.T) {
	got := ask(t, "GET", front(t, "req addr\nreq out 1 X-Out", nil), "")
	if host, port, ok := strings.Cut(got.header.Get("X-Out"), ":"); !ok || host != "127.0.0.1" || len(port) < 4 {
		t.Errorf("got %q", got.header.Get("X-Out"))
	}
}

func TestConfiguration(t *testing.T) {
	const lines = "req config\nreq out 1 X-Out"
	if got := ask(t, "GET", front(t, lines, nil), "").header.Get("X-Out"); got != strings.ReplaceAll(lines, "\n", ",") {
		t.Errorf("got %q", got)
	}
}
