package listener_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/listener"
)

const (
	plain   = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	chunked = "POST /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
	// evil follows many requests: it must never be executed as a request of its own.
	evil = "GET /evil HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
)

// strictCases: raw bytes, the codes of the answers, and what the upstream saw.
var strictCases = []struct {
	name, raw string
	codes     []int
	saw       []string
}{
	{"plain", plain, []int{200}, []string{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"}},
	{"two in one", "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n" + plain, []int{200, 200}, []string{"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"}},
	{"empty lines first", "\r\n\r\n" + plain, []int{200}, []string{plain}},
	{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", []int{200}, []string{"GET / HTTP/1.1\r\n\r\n"}},

	// lengths
	{"length and coding", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil, []int{400}, nil},
	{"coding and length", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + evil, []int{400}, nil},
	{"length twice", length("5\r\nContent-Length: 6"), []int{400}, nil},
	{"the same length twice", length("5\r\nContent-Length: 5"), []int{400}, nil},
	{"length list", length("5, 5"), []int{400}, nil},
	{"length with a plus", length("+5"), []int{400}, nil},
	{"negative length", length("-1"), []int{400}, nil},
	{"hex length", length("0x5"), []int{400}, nil},
	{"length with a space", length("5 5"), []int{400}, nil},
	{"length with a fraction", length("5.0"), []int{400}, nil},
	{"empty length", length(""), []int{400}, nil},
	{"length beyond 64 bits", length("18446744073709551621"), []int{400}, nil},
	{"length beyond 63 bits", length("9223372036854775813"), []int{400}, nil},
	{"good length", "POST /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", []int{200}, []string{"POST /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"}},
	{"bytes after the body", "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + plain, []int{200, 200}, []string{"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", plain}},
	{"GET with a body", "GET /g HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + plain, []int{200, 200}, []string{"GET /g HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", plain}},

	// codings
	{"unknown coding", coding("xchunked"), []int{400}, nil},
	{"coding list", coding("chunked, identity"), []int{400}, nil},
	{"coding twice in a line", coding("chunked, chunked"), []int{400}, nil},
	{"coding twice", coding("chunked\r\nTransfer-Encoding: chunked"), []int{400}, nil},
	{"coding and identity", coding("chunked\r\nTransfer-Encoding: identity"), []int{400}, nil},
	{"identity", coding("identity"), []int{400}, nil},
	{"gzip", coding("gzip, chunked"), []int{400}, nil},
	{"coding with a vertical tab", coding("\vchunked"), []int{400}, nil},
	{"empty coding", coding(""), []int{400}, nil},
	{"coding in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil, []int{400}, nil},
	{"coding in capitals", strings.Replace(chunked, "chunked", "CHUNKED", 1) + "0\r\n\r\n", []int{200}, []string{strings.Replace(chunked, "chunked", "CHUNKED", 1) + "0\r\n\r\n"}},

	// chunks
	{"chunks", chunked + "5\r\nhello\r\n0\r\n\r\n", []int{200}, []string{chunked + "5\r\nhello\r\n0\r\n\r\n"}},
	{"chunk extension", chunked + "5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n", []int{200}, []string{chunked + "5\r\nhello\r\n0\r\n\r\n"}},
	{"chunk extension with a line feed", chunked + "5;a\nb\r\nhello\r\n0\r\n\r\n" + evil, []int{400}, nil},
	{"chunk extension with a carriage return", chunked + "5;a\rb\r\nhello\r\n0\r\n\r\n" + evil, []int{400}, nil},
	{"long chunk extension", chunked + "5;" + strings.Repeat("a", 200) + "\r\nhello\r\n0\r\n\r\n" + evil, []int{400}, nil},
	{"empty chunk size", chunked + "\r\nhello\r\n0\r\n\r\n" + evil, []int{400}, nil},
	{"chunk size with a sign", chunked + "+5\r\nhello\r\n0\r\n\r\n" + evil, []int{400}, nil},
	{"chunk size with 0x", chunked + "0x5\r\nhello\r\n0\r\n\r\n" + evil, []int{400}, nil},
	{"chunk size after a space", chunked + " 5\r\nhello\r\n0\r\n\r\n" + evil, []int{400}, nil},
	{"chunk size before a space", chunked + "5 \r\nhello\r\n0\r\n\r\n" + evil, []int{400}, nil},
	{"chunk size overflow", chunked + "10000000000000005\r\nhello\r\n0\r\n\r\n" + evil, []int{400}, nil},
	{"chunk size with many zeros", chunked + strings.Repeat("0", 40) + "5\r\nhello\r\n0\r\n\r\n" + evil, []int{400}, nil},
	{"chunk size line with bare LF", chunked + "5\nhello\r\n0\r\n\r\n" + evil, []int{400}, nil},
	{"chunk data ends with bare LF", chunked + "5\r\nhello\n0\r\n\r\n" + evil, []int{400}, nil},
	{"chunk longer than its size", chunked + "5\r\nhello!\r\n0\r\n\r\n" + evil, []int{400}, nil},
	{"last chunk with bare LF", chunked + "0\n\n" + evil, []int{400}, nil},
	{"end with bare LF", chunked + "0\r\n\n" + evil, []int{400}, nil},
	{"bytes after chunks", "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + plain, []int{200, 200}, []string{"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", plain}},

	// trailers
	{"trailer", trailed("X-Sum", "X-Sum: 1\r\n"), []int{200}, []string{trailed("X-Sum", "X-Sum: 1\r\n")}},
	{"Trailer: Content-Length", trailed("Content-Length", "Content-Length: 1\r\n") + evil, []int{400}, nil},
	{"Trailer: Authorization", trailed("Authorization", "Authorization: x\r\n") + evil, []int{400}, nil},
	{"trailer Content-Length", chunked + "0\r\nContent-Length: 1\r\n\r\n" + evil, []int{400}, nil},
	{"trailer Transfer-Encoding", chunked + "0\r\nTransfer-Encoding: chunked\r\n\r\n" + evil, []int{400}, nil},
	{"trailer Host", chunked + "0\r\nHost: b\r\n\r\n" + evil, []int{400}, nil},
	{"folded trailer", chunked + "0\r\nX: 1\r\n 2\r\n\r\n" + evil, []int{400}, nil},
	{"trailer with a space in its name", chunked + "0\r\nX : 1\r\n\r\n" + evil, []int{400}, nil},
	{"endless trailers", chunked + "0\r\n" + strings.Repeat("X: 1\r\n", 2000) + "\r\n", []int{400}, nil},

	// lines and names
	{"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n" + evil, []int{400}, nil},
	{"bare LF after a header", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n" + evil, []int{400}, nil},
	{"bare LFs only", "GET / HTTP/1.1\nHost: a\n\n", []int{400}, nil},
	{"bare LF ends the head", "GET / HTTP/1.1\r\nHost: a\r\n\n" + evil, []int{400}, nil},
	{"bare CR in a header", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb: c\r\n\r\n" + evil, []int{400}, nil},
	{"bare CR in the request line", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n" + evil, []int{400}, nil},
	{"folded header", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n" + evil, []int{400}, nil},
	{"folded with a tab", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n" + evil, []int{400}, nil},
	{"space before the first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n" + evil, []int{400}, nil},
	{"folded coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + evil, []int{400}, nil},
	{"NUL in a value", header("X: a\x00b"), []int{400}, nil},
	{"control byte in a value", header("X: a\x01b"), []int{400}, nil},
	{"DEL in a value", header("X: a\x7fb"), []int{400}, nil},
	{"NUL in a name", header("X\x00Y: b"), []int{400}, nil},
	{"NUL in the target", "GET /a\x00b HTTP/1.1\r\nHost: a\r\n\r\n" + evil, []int{400}, nil},
	{"space before the colon", header("X : b"), []int{400}, nil},
	{"space before the colon of a length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello" + evil, []int{400}, nil},
	{"space in a name", header("X Y: b"), []int{400}, nil},
	{"empty name", header(": b"), []int{400}, nil},
	{"no colon", header("XY"), []int{400}, nil},
	{"name that is no token", header("X(Y): b"), []int{400}, nil},
	{"name with a high byte", header("X\xe9: b"), []int{400}, nil},
	{"latin-1 value", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: \xe9\r\n\r\n", []int{200}, []string{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: \xe9\r\n\r\n"}},

	// targets
	{"absolute form", target("http://a/x"), []int{400}, nil},
	{"absolute form of another host", target("http://b/x"), []int{400}, nil},
	{"authority form", target("a:443"), []int{400}, nil},
	{"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n" + evil, []int{405}, nil},
	{"CONNECT with a path", "CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n" + evil, []int{405}, nil},
	{"TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n" + evil, []int{405}, nil},
	{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", []int{200}, []string{"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"}},
	{"GET *", target("*"), []int{400}, nil},
	{"relative target", target("x"), []int{400}, nil},
	{"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n" + evil, []int{400}, nil},
	{"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n" + evil, []int{400}, nil},
	{"tab instead of a space", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n" + evil, []int{400}, nil},
	{"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n" + evil, []int{400}, nil},
	{"tab in the target", target("/a\tb"), []int{400}, nil},
	{"DEL in the target", target("/a\x7fb"), []int{400}, nil},
	{"fragment", target("/a#b"), []int{400}, nil},
	{"dot segments", targetOK("/a/../b/./c"), []int{200}, []string{targetOK("/a/../b/./c")}},
	{"encoded slashes", targetOK("/a%2fb/%2e%2e/c"), []int{200}, []string{targetOK("/a%2fb/%2e%2e/c")}},
	{"double slashes", targetOK("//a//b"), []int{200}, []string{targetOK("//a//b")}},
	{"broken escapes", targetOK("/a%zz%"), []int{200}, []string{targetOK("/a%zz%")}},
	{"bytes that are not UTF-8", targetOK("/\xff\xfe"), []int{200}, []string{targetOK("/\xff\xfe")}},
	{"query untouched", targetOK("/a?x=%41&&y=+%20;z"), []int{200}, []string{targetOK("/a?x=%41&&y=+%20;z")}},

	// hosts, versions, methods
	{"no Host", "GET / HTTP/1.1\r\n\r\n" + evil, []int{400}, nil},
	{"empty Host", "GET / HTTP/1.1\r\nHost: \r\n\r\n" + evil, []int{400}, nil},
	{"Host twice", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n" + evil, []int{400}, nil},
	{"Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n" + evil, []int{400}, nil},
	{"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n" + evil, []int{400}, nil},
	{"Host with user info", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n" + evil, []int{400}, nil},
	{"HTTP/0.9", "GET /\r\n", []int{400}, nil},
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{505}, nil},
	{"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n" + evil, []int{505}, nil},
	{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n" + evil, []int{505}, nil},
	{"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n" + evil, []int{400}, nil},
	{"long version", "GET / HTTP/1.10\r\nHost: a\r\n\r\n" + evil, []int{400}, nil},
	{"no version", "GET / \r\nHost: a\r\n\r\n" + evil, []int{400}, nil},
	{"long method", strings.Repeat("A", 5000) + " / HTTP/1.1\r\nHost: a\r\n\r\n" + evil, []int{400}, nil},
	{"method that is no token", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n" + evil, []int{400}, nil},
	{"unknown method", "BREW / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", []int{200}, []string{"BREW / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"}},
	{"TLS to a plain port", "\x16\x03\x01\x02\x00\x01\x00\x01", []int{400}, nil},
	{"long target", "GET /" + strings.Repeat("a", 20000) + " HTTP/1.1\r\nHost: a\r\n\r\n", []int{431}, nil},
	{"long header", header("X: " + strings.Repeat("a", 20000)), []int{431}, nil},
	{"many headers", header(strings.Repeat("X: a\r\n", 4000) + "Y: b"), []int{431}, nil},

	// upgrades and expectations
	{"upgrade with a body", "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n\r\nhello" + evil, []int{400}, nil},
	{"upgrade with chunks", "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil, []int{400}, nil},
	{"junk expected", "POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-maybe\r\nContent-Length: 5\r\n\r\nhello" + evil, []int{417}, nil},
	{"two expectations", "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue, x\r\nContent-Length: 5\r\n\r\nhello" + evil, []int{417}, nil},
}

func length(value string) string {
	return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + value + "\r\n\r\nhello" + evil
}

func coding(value string) string {
	return "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: " + value + "\r\n\r\n0\r\n\r\n" + evil
}

func trailed(names, lines string) string {
	return "POST /t HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: " + names + "\r\n\r\n0\r\n" + lines + "\r\n"
}

func header(line string) string {
	return "GET / HTTP/1.1\r\nHost: a\r\n" + line + "\r\n\r\n" + evil
}

func target(s string) string { return "GET " + s + " HTTP/1.1\r\nHost: a\r\n\r\n" + evil }

func targetOK(s string) string {
	return "GET " + s + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
}

func TestStrict(t *testing.T) {
	for _, c := range strictCases {
		for _, way := range []string{"at once", "byte by byte"} {
			t.Run(c.name+"/"+way, func(t *testing.T) {
				u := newUpstream(t)
				_, addr := start(t, listener.Options{Serve: u.forward})
				cl := dial(t, addr)
				if way == "at once" {
					cl.send(c.raw)
				} else {
					go drip(cl, c.raw)
				}
				if got := codes(t, cl.rest()); !slices.Equal(got, c.codes) {
					t.Errorf("answers %v, want %v", got, c.codes)
				}
				if got := u.saw(); !slices.Equal(got, c.saw) {
					t.Errorf("upstream saw\n%q, want\n%q", got, c.saw)
				}
			})
		}
	}
}

// drip sends raw in pieces of a byte, as far as the server reads; long ones in larger pieces.
func drip(c *client, raw string) {
	size := 1 + len(raw)/500
	for len(raw) > 0 {
		n := min(size, len(raw))
		if _, err := c.Write([]byte(raw[:n])); err != nil {
			return
		}
		raw = raw[n:]
	}
}
