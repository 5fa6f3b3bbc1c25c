// Package tck is the conformance kit of the module ABI. Host drives two guests that try every host function, with right
// and with wrong arguments, in whatever host serves them; Guest drives any module through what a host does to it.
package tck

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Target is a gateway that serves the modules in question.
type Target struct {
	// URL is its base, as http://127.0.0.1:8080.
	URL string
	// Prepare adds credentials to each request; nil: none.
	Prepare func(*http.Request)
	// Client asks it; nil: http.DefaultClient.
	Client *http.Client
}

// Result is one thing that was tried.
type Result struct {
	Case  string `json:"case"`  // sync/request
	Check string `json:"check"` // request_field: method
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"` // what came instead
}

// Bounds of one request of the kit.
const (
	askTimeout = 2 * time.Minute
	answerMax  = 4 << 20 // bytes
)

// answer is what came back.
type answer struct {
	code   int
	header http.Header
	body   string
}

// ask sends one request.
func (t *Target) ask(ctx context.Context, method, path, body string, headers ...string) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(t.URL, "/")+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	if t.Prepare != nil {
		t.Prepare(req)
	}
	client := t.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot ask the host: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerMax))
	if err != nil {
		return nil, fmt.Errorf("cannot read the host's answer: %w", err)
	}
	return &answer{resp.StatusCode, resp.Header, string(text)}, nil
}

// results collects what was tried.
type results struct {
	name string
	all  []Result
}

func (r *results) check(what string, ok bool, format string, args ...any) {
	result := Result{Case: r.name, Check: what, OK: ok}
	if !ok {
		result.Error = fmt.Sprintf(format, args...)
	}
	r.all = append(r.all, result)
}
