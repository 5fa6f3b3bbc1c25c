package tck

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Backend is the HTTP server that the kit's guests call: it answers with what it was asked.
type Backend struct {
	mu        sync.Mutex
	forwarded http.Header
}

// ServeHTTP answers 202, 404 for /404, and takes its time for /slow.
func (b *Backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	switch r.URL.Path {
	case "/404":
		w.WriteHeader(http.StatusNotFound)
		return
	case "/slow":
		select {
		case <-time.After(10 * time.Second):
		case <-r.Context().Done():
		}
	case "/forwarded":
		b.mu.Lock()
		b.forwarded = r.Header.Clone()
		b.mu.Unlock()
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusAccepted)
	target := r.URL.RequestURI()
	if r.URL.Path == "/forwarded" {
		target = r.URL.Path
	}
	_, _ = fmt.Fprintf(w, "%s %s %s %s", r.Method, target, r.Header.Get("X-Tck"), body)
}

// last are the headers of the last exchange that was forwarded.
func (b *Backend) last() http.Header {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.forwarded
}
