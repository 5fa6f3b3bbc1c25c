// Package admin is the listener for operators: health, metrics, what is configured and loaded, profiles. It has no
// authentication and is read-only, so its default address is on loopback.
package admin

import (
	"context"
	"encoding/json"
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
	// Modules is shown at /modules, Config at /config: anything that marshals to JSON, secrets masked.
	Modules, Config func() any
}

// Server serves the admin listener.
type Server struct{ http *http.Server }

// New makes a server.
func New(opts Options) *Server {
	mux := http.NewServeMux()
	for _, path := range []string{"/livez", "/livez/{check}"} {
		mux.HandleFunc("GET "+path, health("livez", opts.Live))
	}
	for _, path := range []string{"/readyz", "/readyz/{check}", "/healthz"} {
		mux.HandleFunc("GET "+path, health("readyz", opts.Ready))
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(opts.Gatherer, promhttp.HandlerOpts{Timeout: 10 * time.Second, MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /modules", show(opts.Modules))
	mux.HandleFunc("GET /config", show(opts.Config))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
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

// show answers with what get returns, as JSON.
func show(get func() any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		b, err := json.MarshalIndent(get(), "", "  ")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(b, '\n'))
	}
}
