// Package admin is the listener for operators: health, metrics, what is configured and loaded, profiles, and operations on
// modules. What changes something needs a token; the rest is open on loopback, and needs the token elsewhere, probes aside.
package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options say what is shown.
type Options struct {
	Gatherer prometheus.Gatherer
	// Live and Ready are asked at each probe.
	Live, Ready func() []Check
	// Modules is what is below /modules.
	Modules Modules
	// Config is shown at /config, Routes at /routes: anything that marshals to JSON, secrets masked.
	Config, Routes func() any
	// Address is where the listener is, host:port: on loopback who may connect may look.
	Address string
	// Token is what operators bear; see Token. Empty: nothing can be changed.
	Token string
}

// Server serves the admin listener.
type Server struct{ http *http.Server }

// New makes a server.
func New(opts Options) *Server {
	mux, g := http.NewServeMux(), newGuard(opts.Token, opts.Address)
	for _, path := range []string{"/livez", "/livez/{check}"} {
		mux.HandleFunc("GET "+path, g.open(health("livez", opts.Live)))
	}
	for _, path := range []string{"/readyz", "/readyz/{check}", "/healthz"} {
		mux.HandleFunc("GET "+path, g.open(health("readyz", opts.Ready)))
	}
	metrics := promhttp.HandlerFor(opts.Gatherer, promhttp.HandlerOpts{Timeout: 10 * time.Second, MaxRequestsInFlight: 4})
	mux.HandleFunc("GET /metrics", g.read(metrics.ServeHTTP))
	mux.HandleFunc("GET /config", g.read(show(opts.Config)))
	mux.HandleFunc("GET /routes", g.read(show(opts.Routes)))
	(&modules{opts.Modules, make(chan struct{}, uploads)}).route(mux, g)
	mux.HandleFunc("GET /debug/pprof/", g.read(pprof.Index))
	mux.HandleFunc("GET /debug/pprof/profile", g.read(pprof.Profile))
	mux.HandleFunc("GET /debug/pprof/trace", g.read(pprof.Trace))
	return &Server{&http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		WriteTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}}
}

// Serve answers on ln until Close.
func (s *Server) Serve(ln net.Listener) error {
	if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve the admin listener: %w", err)
	}
	return nil
}

// Close ends the server; running probes have a second.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return s.http.Close()
	}
	return nil
}
