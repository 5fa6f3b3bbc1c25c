package upstream

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

// parsed is what our parser makes of a response, read to its end.
type parsed struct {
	code    int
	header  http.Header
	body    []byte
	trailer int
	rest    []byte // behind the response
	err     error
}

// parseAll reads b as a response to GET, in pieces of the given size.
func parseAll(b []byte, piece int) (p parsed) {
	var h head
	h.reset()
	n, done := 0, false
	for !done {
		if n == len(b) {
			p.err = io.ErrUnexpectedEOF
			return p
		}
		n = min(n+piece, len(b))
		if done, p.err = h.parse(b[:n]); p.err != nil {
			return p
		}
	}
	p.code, p.header = h.code, http.Header{}
	for _, f := range h.fields {
		p.header.Add(string(f.name.in(b)), string(f.value.in(b)))
	}
	rest := b[h.start:]
	switch {
	case h.bodiless(false):
	case h.length == untilClose:
		p.body, rest = rest, nil
	case h.length >= 0:
		if h.length > int64(len(rest)) {
			p.err = io.ErrUnexpectedEOF
			return p
		}
		p.body, rest = rest[:h.length], rest[h.length:]
	default:
		rest = p.dechunk(rest, piece)
	}
	p.rest = rest
	return p
}

// dechunk reads a chunked body and its trailers, and returns what is behind them.
func (p *parsed) dechunk(b []byte, piece int) []byte {
	var d chunks
	buf, last := []byte(nil), false
	for !last {
		k := min(piece, len(b))
		buf, b = append(buf, b[:k]...), b[k:]
		from, to, used, l, err := d.next(buf)
		p.body = append(p.body, buf[from:to]...)
		buf, last = buf[used:], l
		if err == nil && k == 0 && !last {
			err = io.ErrUnexpectedEOF
		}
		if p.err = err; err != nil {
			return nil
		}
	}
	buf = append(buf, b...)
	var s section
	done, err := s.read(buf)
	if err == nil && !done {
		err = io.ErrUnexpectedEOF
	}
	if p.err = err; err != nil {
		return nil
	}
	p.trailer = len(s.fields)
	return buf[s.start:]
}

// FuzzResponse compares our reading of a response with net/http's. When both accept one, they agree on everything;
// ours must not depend on how the bytes arrive. What ours accepts and net/http refuses is in excused.
func FuzzResponse(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;a=b\r\nyou\r\n0\r\nT: x\r\n\r\nrest",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n00000002\r\nhi\r\n0\r\n\r\n",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nA: b\r\na:  c \r\n\r\nuntil the end",
		"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n",
		"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\nA: b\n\n", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\x00\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(against)
}

// against compares our reading of b with our own byte by byte, and with net/http's.
func against(t *testing.T, b []byte) {
	p := parseAll(b, len(b)+1)
	if one := parseAll(b, 1); one.code != p.code || !bytes.Equal(one.body, p.body) || !bytes.Equal(one.rest, p.rest) ||
		(one.err == nil) != (p.err == nil) {
		t.Fatalf("%q: byte by byte: got %+v, at once %+v", b, one, p)
	}
	if p.err != nil {
		return
	}
	r := bufio.NewReaderSize(bytes.NewReader(b), len(b)+16)
	resp, err := http.ReadResponse(r, nil)
	var body []byte
	if err == nil {
		body, err = io.ReadAll(resp.Body)
	}
	switch {
	case err == nil:
		compare(t, b, p, resp, body, r)
	case !excused(err):
		t.Fatalf("%q: net/http refuses what we accept: %v", b, err)
	}
}

// TestAgainstNetHTTP puts responses together from parts that are right, odd and wrong, as a fuzzer would in hours.
func TestAgainstNetHTTP(t *testing.T) {
	status := []string{"HTTP/1.1 200 OK", "HTTP/1.0 200 OK", "HTTP/1.1 200", "HTTP/1.1 204 x", "HTTP/1.1 304 ", "HTTP/1.1 2x0 OK", "HTTP/1.1  200 OK", "http/1.1 200 OK"}
	lines := []string{
		"Content-Length: 5", "content-length:5", "Content-Length: 05", "Content-Length: 5 ", "Content-Length: 0x5", "Content-Length: -5", "Content-Length: 5,5",
		"Content-Length : 5", "Transfer-Encoding: chunked", "TRANSFER-ENCODING: Chunked ", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: identity",
		"Transfer-Encoding:\tchunked", "Transfer-Encoding: \vchunked", "A: b", "A:", "A: b\tc", "A: \x7f", "A: \xff", "A\x00: b", " A: b", "A b: c", "Connection: close",
		"Connection: keep-alive", "Trailer: T", "A!#$: b", "A(: b", "",
	}
	ends := []string{"\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r"}
	bodies := []string{
		"hello", "hello, world", "", "hel", "5\r\nhello\r\n0\r\n\r\n", "5;x=y\r\nhello\r\n0\r\nT: x\r\n\r\nrest", "05\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n",
		"5\nhello\n0\n\n", "-5\r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "5\r\nhelloX0\r\n\r\n", "5\r\nhello\r\n0\r\n", "5\r\nhello\r\n00\r\n\r\n", "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
	}
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(s []string) string { return s[r.IntN(len(s))] }
	accepted := 0
	for range 100_000 {
		b := pick(status) + pick(ends)
		for range r.IntN(4) {
			b += pick(lines) + pick(ends)
		}
		b += "\r\n" + pick(bodies)
		against(t, []byte(b))
		if parseAll([]byte(b), len(b)+1).err == nil {
			accepted++
		}
	}
	if accepted < 1000 {
		t.Errorf("only %d responses were accepted: they show nothing", accepted)
	}
}

// excused are the reasons for which net/http may refuse what we accept.
func excused(err error) bool {
	text := err.Error()
	return strings.Contains(text, "chunked encoding contains too much non-data") || // tiny chunks are waste to it; ours are bounded by line
		strings.Contains(text, "suspiciously long trailer") || // bounded by its buffer; ours like a head
		strings.Contains(text, "bad trailer key") // a name that Trailer must not list is left out when it is relayed
}

func compare(t *testing.T, b []byte, p parsed, resp *http.Response, body []byte, r *bufio.Reader) {
	rest, _ := io.ReadAll(r)
	if resp.StatusCode != p.code || !bytes.Equal(body, p.body) || !bytes.Equal(rest, p.rest) {
		t.Fatalf("%q: net/http: %d, body %q, rest %q; ours: %d, %q, %q", b, resp.StatusCode, body, rest, p.code, p.body, p.rest)
	}
	for name, values := range resp.Header {
		if got := p.header[http.CanonicalHeaderKey(name)]; strings.Join(got, "\x00") != strings.Join(values, "\x00") {
			t.Fatalf("%q: header %q: net/http %q, ours %q", b, name, values, got)
		}
	}
}

// FuzzChunks: however a body is cut into chunks and pieces, it comes out as it went in.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("hello, world"), uint8(3), uint8(5))
	f.Fuzz(func(t *testing.T, data []byte, chunk, piece uint8) {
		size := int(chunk)%64 + 1
		var wire []byte
		for d := data; len(d) > 0; {
			n := min(size, len(d))
			wire = append(append(appendSize(wire, n), d[:n]...), '\r', '\n')
			d = d[n:]
		}
		var p parsed
		rest := p.dechunk(append(wire, "0\r\n\r\nrest"...), int(piece)+1)
		if p.err != nil || !bytes.Equal(p.body, data) || string(rest) != "rest" {
			t.Fatalf("got %q, rest %q, %v", p.body, rest, p.err)
		}
	})
}
