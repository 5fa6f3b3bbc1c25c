package upstream

import (
	"time"

	"github.com/valyala/fasthttp"
)

// earlyGrace is how long a response head waits for the upload to end: a server that answers because it has read the
// whole body is faster than our own goroutine's last step.
const earlyGrace = 5 * time.Millisecond

// relay makes the head that was read the exchange's response, and has its body follow. An error is one of the body's
// first bytes; the response is untouched then.
func (c *call) relay() error {
	c.rest.head = c.cn.unread()[:c.head.start]
	c.cn.r += c.head.start
	if c.head.code == fasthttp.StatusSwitchingProtocols {
		c.relayTunnel()
		return nil
	}
	c.rest.keep = !c.head.close && !c.upgrade
	if c.head.bodiless(c.x.HTTP.Request.Header.IsHead()) {
		c.relayBodiless()
		return nil
	}
	c.rest.keep = c.rest.keep && c.head.length != untilClose
	if err := c.begin(); err != nil {
		return err
	}
	c.copyHead()
	if !c.up.over(earlyGrace) {
		c.rest.keep = false
		c.x.HTTP.Response.SetConnectionClose()
	}
	switch {
	case c.head.length >= 0 && c.head.length <= int64(c.rest.to-c.rest.from):
		c.relayBuffered()
	default:
		c.relayStream()
	}
	return nil
}

// relayBodiless answers HEAD, and relays 204 and 304: Content-Length says what a body would have.
func (c *call) relayBodiless() {
	early := !c.up.over(earlyGrace)
	c.copyHead()
	h := &c.x.HTTP.Response.Header
	if early {
		h.SetConnectionClose()
	}
	if c.head.length >= 0 {
		b := c.rest.head
		for _, f := range c.head.fields {
			if fold(f.name.in(b), "content-length") {
				h.AddBytesKV(f.name.in(b), f.value.in(b))
			}
		}
	}
	// A body after 204, or a coded one after 304, is not one that anybody is certain of.
	sure := c.head.length <= 0 && c.head.length != inChunks || c.head.code == 304 && c.head.length >= 0
	c.end(c.rest.keep && !early && (sure || c.x.HTTP.Request.Header.IsHead()))
}

// relayBuffered answers with a body that has arrived whole together with its head: it goes out with the head in one
// write, and the connection is free before that.
func (c *call) relayBuffered() {
	body := c.cn.buf.b[c.rest.from:c.rest.to]
	c.x.HTTP.Response.SetBody(body)
	c.x.Written += int64(len(body))
	c.end(c.rest.keep && c.up.over(0))
}

// relayStream has the body written as it comes.
func (c *call) relayStream() {
	size := -1
	if c.head.length >= 0 {
		size = int(c.head.length)
	}
	_ = c.untime()
	c.x.StreamBody(c, size)
	if size < 0 && c.rest.from < c.rest.to {
		c.x.HTTP.Response.ImmediateHeaderFlush = false
		c.rest.through = true
	}
}

// copyHead copies status and headers, but for those of the connection. fasthttp writes Server, Content-Type and
// Content-Encoding first, once each, and Date itself; the others keep order, spelling and repetitions.
func (c *call) copyHead() {
	b := c.rest.head
	h := &c.x.HTTP.Response.Header
	h.SetNoDefaultContentType(true)
	h.SetStatusCode(c.head.code)
	if r := c.head.reason.in(b); len(r) > 0 && string(r) != fasthttp.StatusMessage(c.head.code) {
		h.SetStatusMessage(r)
	}
	for _, f := range c.head.fields {
		name, value := f.name.in(b), f.value.in(b)
		switch {
		case !hopOnly.Has(name):
			if !c.head.named || !c.head.connectionNames(b, name) {
				h.AddBytesKV(name, value)
			}
		case c.head.length == inChunks && fold(name, "trailer"):
			_ = h.AddTrailerBytes(value) // a name that no trailer may have is left out
		}
	}
}
