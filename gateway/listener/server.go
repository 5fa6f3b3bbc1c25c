// Package listener takes connections and makes exchanges of them: TLS, limits, strict HTTP/1.1, clients that leave, and
// the graceful end. fasthttp.Server serves inside, behind a connection that lets only well-framed messages through.
package listener

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/valyala/fasthttp"
)

// Server serves HTTP/1.1 on any number of listeners.
type Server struct {
	opts     Options
	http     *fasthttp.Server
	serve    exchange.Handler // s.answer, made once
	hangups  *hangups
	certs    *certificates // nil: plain HTTP
	conns    *conns
	draining atomic.Bool
	// farewells has a token for each connection that was turned away and is given time to read why.
	farewells chan struct{}

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	closed    bool

	stats stats
}

// Stats counts since the server's start.
type Stats struct {
	Open     int   // connections open now, tunnels included
	Accepted int64 // connections
	TooMany  int64 // connections turned away by a limit
	Refused  int64 // requests answered by the listener itself: malformed, too long, too slow
	Panics   int64
}

type stats struct{ accepted, tooMany, refused, panics atomic.Int64 }

// New makes a server. It reads the TLS files, and holds resources until Shutdown.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	s := &Server{opts: o, conns: newConns(o.MaxConnections, o.MaxConnectionsPerIP), listeners: map[net.Listener]struct{}{}, farewells: make(chan struct{}, 64)}
	var err error
	if s.hangups, err = newHangups(); err != nil {
		return nil, err
	}
	if o.TLS != nil {
		if s.certs, err = loadCertificates(*o.TLS, o.Logger); err != nil {
			s.hangups.close()
			return nil, err
		}
	}
	s.serve = s.answer
	s.http = s.newHTTP()
	return s, nil
}

// writeBuffer holds a chunk of 4,096 bytes, as fasthttp cuts streamed bodies, with its framing: one write, not two.
const writeBuffer = 4096 + 64

// newHTTP is fasthttp with all that it does by itself turned off: deadlines, counting and framing are the connection's.
// It normalizes the names of request headers, since it compares them by case and stages must not have to: a client
// that writes "impersonate-user" means it, too.
func (s *Server) newHTTP() *fasthttp.Server {
	return &fasthttp.Server{
		Handler:                      s.handle,
		ErrorHandler:                 s.handleError,
		ExpectHandler:                s.handleExpect,
		Logger:                       debugLogger{s.opts.Logger},
		Concurrency:                  s.opts.MaxConnections + 1, // counted by conns
		ReadBufferSize:               s.opts.HeaderBytes,
		WriteBufferSize:              writeBuffer,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true,
		StreamRequestBody:            true,
		SecureErrorLogMessage:        true,
	}
}

// Stats are the server's counters.
func (s *Server) Stats() Stats {
	return Stats{
		Open: s.conns.count(), Accepted: s.stats.accepted.Load(), TooMany: s.stats.tooMany.Load(),
		Refused: s.stats.refused.Load(), Panics: s.stats.panics.Load(),
	}
}

// Serve takes connections from ln until Shutdown, then returns nil. It closes ln.
func (s *Server) Serve(ln net.Listener) error {
	defer ln.Close()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.listeners[ln] = struct{}{}
	s.mu.Unlock()
	var pause time.Duration
	for {
		nc, err := ln.Accept()
		if err == nil {
			pause = 0
			s.accept(nc)
			continue
		}
		if s.draining.Load() {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("cannot accept connections: %w", err)
		}
		// out of file descriptors, most likely: others go on, and close some
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.opts.Logger.Warn().Err(err).Dur("pause", pause).Msg("cannot accept a connection")
		time.Sleep(pause)
	}
}

// accept starts serving nc, unless a limit is reached.
func (s *Server) accept(nc net.Conn) {
	s.stats.accepted.Add(1)
	sock := &socket{Conn: nc}
	sock.stall.Store(int64(s.opts.WriteTimeout))
	c := &conn{Conn: sock, sock: sock, srv: s, ip: keyOf(nc.RemoteAddr()), fresh: true}
	if r := s.conns.add(c); r != nil {
		s.turnAway(c, r)
		return
	}
	s.hangups.watch(sock)
	if s.certs == nil {
		go s.serveConn(c)
		return
	}
	t := tls.Server(sock, s.certs.current.Load())
	c.Conn = t
	go s.serveConn(&tlsConn{conn: c, tls: t})
}

// turnAway answers nc without waiting for it: a few hundred bytes fit every socket's buffer. Over TLS there is nobody to
// answer yet. As long as few are turned away, they get the time to read the answer.
func (s *Server) turnAway(c *conn, r *refusal) {
	s.stats.tooMany.Add(1)
	if s.certs != nil {
		_ = c.sock.Conn.Close()
		return
	}
	_ = c.sock.Conn.SetWriteDeadline(time.Now().Add(lingerTime))
	_, _ = c.sock.Conn.Write(r.answer(c.ids.next()))
	select {
	case s.farewells <- struct{}{}:
		go func() {
			c.linger()
			_ = c.sock.Conn.Close()
			<-s.farewells
		}()
	default:
		_ = c.sock.Conn.Close()
	}
}

// serveConn serves c until it is closed, or given to a tunnel.
func (s *Server) serveConn(c net.Conn) {
	defer func() {
		if r := recover(); r != nil {
			s.panicked(r, "")
			_ = c.Close()
		}
	}()
	if err := s.http.ServeConn(c); err != nil {
		s.opts.Logger.Debug().Err(err).Stringer("remote", c.RemoteAddr()).Msg("connection broken off")
	}
}

// connOf is the connection that ctx came by.
func connOf(ctx *fasthttp.RequestCtx) *conn {
	switch c := ctx.Conn().(type) {
	case *conn:
		return c
	case *tlsConn:
		return c.conn
	}
	return nil
}

// handle serves one request.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	s.run(ctx, ctx.Time())
}

func (s *Server) run(ctx *fasthttp.RequestCtx, received time.Time) {
	c := connOf(ctx)
	ctx.Response.Header.DisableNormalizing() // an upstream's headers go on as they came
	exchange.Run(ctx, &c.sock.peer, received, s.serve)
	if c.failed { // the body that the exchange had begun is dropped, which ends the exchange
		refusePanic.into(ctx, c.id)
		c.failed = false
	}
	if !ctx.Request.Header.IsHTTP11() {
		c.answerHTTP10(ctx)
	}
	if ctx.Hijacked() {
		c.phase = isRaw
		c.sock.untimed()
	}
}

// answer serves x, whatever happens.
func (s *Server) answer(x *exchange.Exchange) {
	ctx := x.HTTP
	c := connOf(ctx)
	c.id = c.ids.next()
	x.ID = c.id
	s.guard(c, x)
	if c.fault != nil && c.fault != notWanted && !ctx.Hijacked() && !ctx.Response.IsBodyStream() {
		c.fault.into(ctx, c.id) // whatever the stage made of a body that it could not read
		x.Reason = c.fault.message
		s.refused(c.RemoteAddr(), c.fault)
	}
	ctx.Response.Header.Set(requestIDHeader, c.id)
	c.lasting = x.Info.LongRunning()
	watch := x.Info.Verb == "watch"
	c.watching.Store(watch)
	if s.draining.Load() {
		ctx.SetConnectionClose()
		if watch {
			c.sock.peer.End()
		}
	}
}

// guard calls the handler, and answers for it when it panics.
func (s *Server) guard(c *conn, x *exchange.Exchange) {
	ctx := x.HTTP
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		s.panicked(r, c.id)
		x.Reason = fmt.Sprintf("panic: %v", r)
		switch {
		case ctx.Hijacked(): // the tunnel stands: it ends the exchange
		case ctx.Response.IsBodyStream(): // dropping the body would end the exchange: not while it is being served
			ctx.Response.SetStatusCode(refusePanic.code)
			c.failed = true
		default:
			refusePanic.into(ctx, c.id)
		}
	}()
	s.opts.Serve(x)
}

// handleError answers what fasthttp could not read: what its parser refuses beyond the listener's, and bodies that
// ended early.
func (s *Server) handleError(ctx *fasthttp.RequestCtx, err error) {
	c := connOf(ctx)
	r := refusalOf(err)
	c.phase = isOver
	s.refused(ctx.RemoteAddr(), r)
	r.into(ctx, c.ids.next())
}

func (s *Server) refused(remote net.Addr, r *refusal) {
	s.stats.refused.Add(1)
	s.opts.Logger.Debug().Stringer("remote", remote).Int("code", r.code).Msg(r.message)
}

func (s *Server) panicked(r any, id string) {
	s.stats.panics.Add(1)
	s.opts.Logger.Error().Str("request", id).Bytes("stack", debug.Stack()).Msgf("panic while serving: %v", r)
}
