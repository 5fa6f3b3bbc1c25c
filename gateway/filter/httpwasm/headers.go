package httpwasm

import (
	"bytes"
	"iter"
	"strings"

	"github.com/posternhq/postern/gateway/httpsyntax"
)

// fields are the headers of a request or of an answer, as fasthttp keeps them.
type fields interface {
	All() iter.Seq2[[]byte, []byte]
	AddBytesKV(name, value []byte)
	DelBytes(name []byte)
	PeekTrailerKeys() [][]byte
	PeekAll(name string) [][]byte
	AddTrailerBytes(name []byte) error
	SetTrailerBytes(names []byte) error
}

// fields are those that kind stands for. what is in words, trailer whether kind is one of trailers.
func (c *call) fields(kind uint64) (f fields, what string, trailer bool) {
	x := c.exchange()
	switch kind {
	case ofRequest:
		return &x.HTTP.Request.Header, "headers", false
	case ofResponse:
		return &x.HTTP.Response.Header, "headers", false
	case ofRequestTrailers:
		return &x.HTTP.Request.Header, "trailers", true
	case ofResponseTrailers:
		return &x.HTTP.Response.Header, "trailers", true
	}
	trap("%d is no kind of headers", int32(kind))
	return nil, "", false
}

// readable are the fields to read. Trailers come behind the body: they are there when it has been read.
func (c *call) readable(kind uint64) (fields, bool) {
	f, _, trailer := c.fields(kind)
	switch {
	case kind == ofRequestTrailers && !c.after && c.enabled(bufferRequest):
		c.request.load(c)
	case kind == ofResponseTrailers && c.after && c.enabled(bufferResponse):
		c.response.load(c)
	}
	return f, trailer
}

// writable are the fields to change. An answer's trailers are written behind its body, so after the next handler that
// must be held.
func (c *call) writable(kind uint64) (fields, bool) {
	f, what, trailer := c.fields(kind)
	switch kind {
	case ofRequest:
		c.before(what).HeadersChanged()
	case ofRequestTrailers:
		c.before(what).HeadersChanged()
		c.request.load(c)
		c.request.framed = true
	case ofResponseTrailers:
		c.response.mustHold(c, what)
		if c.after {
			c.response.load(c)
		}
	}
	c.touched = true
	return f, trailer
}

// name reads a header's name; an empty one is a trap.
func (m guestMemory) name(at, size uint64) []byte {
	name := m.bytes(at, size)
	if !httpsyntax.IsToken(name) {
		trap("%q is not a header's name", name)
	}
	return name
}

// value reads a header's value.
func (m guestMemory) value(at, size uint64) []byte {
	value := m.bytes(at, size)
	if !httpsyntax.IsValue(value) {
		trap("%q is not a header's value", value)
	}
	return bytes.Trim(value, " \t")
}

func getHeaderNames(c *call, m guestMemory, a []uint64) uint64 {
	f, trailer := c.readable(a[0])
	c.names = c.names[:0]
	if trailer {
		for _, name := range f.PeekTrailerKeys() {
			if len(f.PeekAll(string(name))) > 0 {
				c.addName(name)
			}
		}
	} else {
		for name := range f.All() {
			c.addName(name)
		}
	}
	return m.giveList(c.names, a[1], a[2])
}

// addName adds a name in lower case, once.
func (c *call) addName(name []byte) {
	for _, n := range c.names {
		if bytes.EqualFold(n, name) {
			return
		}
	}
	c.names = append(c.names, bytes.ToLower(name))
}

func getHeaderValues(c *call, m guestMemory, a []uint64) uint64 {
	name := m.name(a[1], a[2])
	f, trailer := c.readable(a[0])
	c.names = c.names[:0]
	if trailer {
		if key := trailerKey(f, name); key != nil {
			c.names = append(c.names, f.PeekAll(string(key))...)
		}
	} else {
		for n, value := range f.All() {
			if bytes.EqualFold(n, name) {
				c.names = append(c.names, value)
			}
		}
	}
	return m.giveList(c.names, a[3], a[4])
}

func setHeaderValue(c *call, m guestMemory, a []uint64) uint64 {
	name, value := m.name(a[1], a[2]), m.value(a[3], a[4])
	f, trailer := c.writable(a[0])
	if c.mayNot(a[0], name) {
		return 0
	}
	remove(f, name, trailer)
	add(f, name, value, trailer)
	return 0
}

func addHeaderValue(c *call, m guestMemory, a []uint64) uint64 {
	name, value := m.name(a[1], a[2]), m.value(a[3], a[4])
	f, trailer := c.writable(a[0])
	if !c.mayNot(a[0], name) {
		add(f, name, value, trailer)
	}
	return 0
}

func removeHeader(c *call, m guestMemory, a []uint64) uint64 {
	name := m.name(a[1], a[2])
	f, trailer := c.writable(a[0])
	if !framing[strings.ToLower(string(name))] {
		remove(f, name, trailer)
	}
	return 0
}

// framing are the headers that say where a message ends, or speak of one connection. The host writes them: guests that
// rewrite a body often remove Content-Length, and need not.
var framing = map[string]bool{
	"connection": true, "content-length": true, "expect": true, "http2-settings": true, "keep-alive": true,
	"proxy-connection": true, "te": true, "trailer": true, "transfer-encoding": true, "upgrade": true,
}

// mayNot says whether a guest's header is left out: one of framing, or one that says who asks. The latter are believed
// by backends from the gateway alone.
func (c *call) mayNot(kind uint64, name []byte) bool {
	n := strings.ToLower(string(name))
	if framing[n] {
		return true
	}
	if kind != ofRequest && kind != ofRequestTrailers {
		return false
	}
	for _, prefix := range []string{"impersonate-", "x-remote-", "x-kubesphere-"} {
		if strings.HasPrefix(n, prefix) {
			c.g.ignored.Inc()
			return true
		}
	}
	return false
}

// add appends a value. A trailer that no trailer may be is left out.
func add(f fields, name, value []byte, trailer bool) {
	if trailer {
		if key := trailerKey(f, name); key != nil {
			name = key
		} else if f.AddTrailerBytes(name) != nil {
			return
		} else {
			name = trailerKey(f, name)
		}
	}
	f.AddBytesKV(name, value)
}

// remove deletes all values of name, in whatever spelling they came.
func remove(f fields, name []byte, trailer bool) {
	if trailer {
		if key := trailerKey(f, name); key != nil {
			gone := bytes.Clone(key)
			f.DelBytes(gone)
			unannounce(f, gone)
		}
		return
	}
	for {
		key := spelling(f, name)
		if key == nil {
			return
		}
		f.DelBytes(key)
	}
}

// unannounce takes a name out of the list of trailers to come.
func unannounce(f fields, gone []byte) {
	var rest [][]byte
	for _, key := range f.PeekTrailerKeys() {
		if !bytes.Equal(key, gone) {
			rest = append(rest, key)
		}
	}
	_ = f.SetTrailerBytes(bytes.Join(rest, []byte(", "))) // the names were accepted before
}

// spelling is a header's name as it is there; nil if it is not.
func spelling(f fields, name []byte) []byte {
	for n := range f.All() {
		if bytes.EqualFold(n, name) {
			return bytes.Clone(n)
		}
	}
	return nil
}

// trailerKey is a trailer's name as it was announced; nil if it was not.
func trailerKey(f fields, name []byte) []byte {
	for _, key := range f.PeekTrailerKeys() {
		if bytes.EqualFold(key, name) {
			return key
		}
	}
	return nil
}

// hasTrailers says whether f has a trailer with a value.
func hasTrailers(f fields) bool {
	for _, key := range f.PeekTrailerKeys() {
		if len(f.PeekAll(string(key))) > 0 {
			return true
		}
	}
	return false
}
