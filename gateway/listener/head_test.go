package listener

import (
	"strings"
	"testing"
)

// FuzzHead: parseHead never fails otherwise than by refusing, and what it accepts ends where the head ends.
func FuzzHead(f *testing.F) {
	f.Add([]byte("POST /a HTTP/1.1\r\nHost: a:1\r\nContent-Length: 12\r\n\r\n"))
	f.Add([]byte("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.0\r\nUpgrade: x\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, bad := parseHead(b)
		if bad != nil {
			return
		}
		if h.length < -1 || h.upgrade && h.length != 0 {
			t.Errorf("accepted as %+v", h)
		}
		end := strings.Index(string(b), "\r\n\r\n")
		if end < 0 {
			t.Fatal("accepted without an end")
		}
		if again, bad := parseHead(b[:end+4]); bad != nil || again != h {
			t.Errorf("%+v, but alone %+v, %v", h, again, bad)
		}
	})
}

// FuzzChunks: however a body is cut, its framing is the same.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\nGET"), uint8(1))
	f.Add([]byte("a;b=c\r\n0123456789\r\n0\r\nX: y\r\nZ: \r\n\r\n"), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		var one, many chunks
		n, done, bad := one.advance(b)
		var m int
		var mdone bool
		var mbad *refusal
		for rest := b; len(rest) > 0 && !mdone && mbad == nil; {
			piece := rest[:min(len(rest), 1+int(size))]
			var k int
			k, mdone, mbad = many.advance(piece)
			if k < len(piece) && !mdone && mbad == nil {
				t.Fatalf("%d of %d bytes taken without an end", k, len(piece))
			}
			m += k
			rest = rest[k:]
		}
		if n != m || done != mdone || bad != mbad {
			t.Errorf("at once %d %v %v, in pieces %d %v %v", n, done, bad, m, mdone, mbad)
		}
		if one.left < 0 {
			t.Errorf("size %d", one.left)
		}
	})
}
