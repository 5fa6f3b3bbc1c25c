package exchange

import (
	"net"
	"strings"
	"unsafe"
)

// Line is what a log line says of the request and its answer. Its strings alias the exchange's buffers.
type Line struct {
	Method, URI, Host, UserAgent, Protocol string
	Remote                                 net.Addr
	Status                                 int
}

// Line reads the request and the answer as they are now; behind a tunnel, as they were when it began.
func (x *Exchange) Line() Line {
	if x.line != nil {
		return *x.line
	}
	h := &x.HTTP.Request.Header
	return Line{
		Method:    alias(h.Method()),
		URI:       alias(h.RequestURI()),
		Host:      alias(h.Host()),
		UserAgent: alias(h.UserAgent()),
		Protocol:  alias(h.Protocol()),
		Remote:    x.HTTP.RemoteAddr(),
		Status:    x.HTTP.Response.StatusCode(),
	}
}

// clone is l with strings of its own and another status.
func (l Line) clone(status int) *Line {
	for _, s := range []*string{&l.Method, &l.URI, &l.Host, &l.UserAgent, &l.Protocol} {
		*s = strings.Clone(*s)
	}
	l.Status = status
	return &l
}

// alias is b as a string without a copy: it changes when b does.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
