package upstream

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
)

// call is one exchange on its way: from Forward until its response has been relayed. Calls are pooled; the exchange's
// CancelOnGone registration is taken back before a call is used again, so that a late Cancel cannot hit the next one.
type call struct {
	pool *Pool
	x    *exchange.Exchange
	req  Request
	cn   *conn
	time time.Time

	in       section // the client's header lines
	out      []byte  // the request's head
	body     body
	upgrade  bool // an upgrade is asked for
	trailers bool // request trailers are announced
	up       upload

	head head
	rest rest

	mu       sync.Mutex // guards what Cancel shares with the owner
	canceled bool
	waiting  bool   // for the response head
	onGone   func() // ends a dial or a wait
	deadline *conn  // the connection whose deadline may be set
}

var calls = sync.Pool{New: func() any { return new(call) }}

// Forward sends x's request to the target and relays the response. On an error, which is an *Error, x has no response
// yet and its caller writes one. Otherwise the response may still be on its way when Forward returns; should it break
// off, the client's connection is closed without the response's end.
func (p *Pool) Forward(x *exchange.Exchange, req Request) error {
	c := calls.Get().(*call)
	c.pool, c.x, c.req = p, x, req
	if c.req.Drop == nil {
		c.req.Drop = hopOnly
	}
	if err := c.appendHead(); err != nil {
		c.recycle()
		return p.fail(requestKind(err), err)
	}
	x.CancelOnGone(c)
	if err := c.send(); err != nil {
		c.end(false)
		return err
	}
	x.Upstream = time.Since(c.time)
	if err := c.relay(); err != nil {
		c.end(false)
		return p.fail(KindMalformed, err)
	}
	p.requests.Add(1)
	return nil
}

// send gets a connection, writes the request and reads the response head. A request that fails on a connection that
// had been idle is sent once more, on a fresh one, if the server cannot have acted on it: see again.
func (c *call) send() error {
	for fresh := false; ; fresh = true {
		cn, err := c.pool.acquire(c, fresh)
		if err != nil {
			return err
		}
		c.time = time.Now()
		c.attach(cn)
		wrote, err := c.write()
		if err == nil {
			err = c.readHead()
		}
		if err == nil {
			return nil
		}
		kind, err := c.why(err)
		if fresh || !c.again(kind, wrote) {
			return c.pool.fail(kind, err)
		}
		c.detach()
		c.cn = nil
		c.pool.discard(cn)
		c.pool.retries.Add(1)
	}
}

// again says whether the request may be sent once more: the connection had been idle, not a byte of a response came,
// and either nothing of the request was accepted by the connection, or it is idempotent and has no body.
func (c *call) again(kind Kind, wrote int) bool {
	if kind != KindClosed || !c.cn.reused || len(c.cn.unread()) > 0 || c.up.started {
		return false
	}
	if wrote == 0 {
		return true
	}
	switch string(c.method()) {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE":
		return c.body == noBody
	}
	return false
}

// why says what a failure means; one of the upload explains one of the response.
func (c *call) why(err error) (Kind, error) {
	if e := c.up.failure(c); e != nil && !c.isCanceled() {
		return requestKind(e), e
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return c.ioKind(err), err
}

// requestKind is the kind of a failure that is the client's.
func requestKind(err error) Kind {
	if errors.Is(err, errTooLarge) {
		return KindTooLarge
	}
	return KindRequest
}

// headLimit is how long the response head may take; 0: as long as it takes.
func (c *call) headLimit() time.Duration {
	if c.req.LongRunning {
		return 0
	}
	return c.pool.opt.HeaderTimeout
}

// write sends the head, with a small body, and starts the upload of a large one, behind which the response head's time
// begins.
func (c *call) write() (int, error) {
	n, err := c.cn.Write(c.out)
	c.pool.bytesOut.Add(uint64(n))
	if err == nil && (c.body == fixedBody || c.body == chunkBody) {
		if err = c.untime(); err == nil {
			c.waiting = true
			c.up.start(c)
		}
	}
	return n, err
}

// readHead reads the response head, past interim responses. Upload and head go on at the same time.
func (c *call) readHead() error {
	for interim := 0; ; interim++ {
		if err := c.readOneHead(); err != nil {
			return err
		}
		switch {
		case c.head.code == 101:
			return c.checkSwitch()
		case c.head.code >= 200:
			return nil
		case interim == maxInterim:
			return errInterim
		}
		c.cn.r += c.head.start
	}
}

// maxInterim bounds the 1xx responses before the final one. They are not relayed: 100 has been sent to the client when
// the body was asked of it.
const maxInterim = 8

const errInterim = malformed("too many interim responses")

func (c *call) readOneHead() error {
	c.head.reset()
	for {
		if b := c.cn.unread(); len(b) > 0 {
			if done, err := c.head.parse(b); done || err != nil {
				return err
			}
			if len(b) >= c.pool.opt.MaxHead {
				return errHeadSize
			}
		}
		if err := c.cn.fill(); err != nil {
			return err
		}
	}
}

func (c *call) checkSwitch() error {
	switch {
	case !c.upgrade || c.head.old:
		return errSwitch
	case c.head.upgrade.a == c.head.upgrade.b:
		return errNoProtocol
	}
	return nil
}
