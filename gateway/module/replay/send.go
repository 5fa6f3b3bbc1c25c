package replay

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// requestID goes along with each request that names none, so that answers which repeat it are alike.
const requestID = "00000000000000000000000000000000"

const (
	maxAnswer = 64 << 20         // bytes of an answer's body
	timeout   = 60 * time.Second // of one request
)

// Load reads the files that match patterns, in the order of their names; each request's name has its file's in front.
func Load(patterns ...string) ([]Request, error) {
	var all []Request
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("cannot look for %q: %w", pattern, err)
		}
		slices.Sort(files)
		for _, file := range files {
			requests, err := load(file)
			if err != nil {
				return nil, err
			}
			all = append(all, requests...)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("cannot find any requests: no file matches %s", strings.Join(patterns, ", "))
	}
	return all, nil
}

func load(file string) ([]Request, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read requests: %w", err)
	}
	requests, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	base := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	for i := range requests {
		requests[i].Name = base + ": " + requests[i].Name
	}
	return requests, nil
}

// Send asks the server at base, such as http://127.0.0.1:9090. Redirects are answers.
func (r *Request) Send(ctx context.Context, client *http.Client, base string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.Method, base+r.Path, strings.NewReader(r.Body))
	if err != nil {
		return Answer{}, fmt.Errorf("cannot make the request: %w", err)
	}
	if r.Body == "" {
		req.Body = http.NoBody
	}
	req.Header.Set("X-Request-Id", requestID)
	for _, h := range r.Header {
		req.Header.Add(h[0], h[1])
	}
	response, err := client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return Answer{}, fmt.Errorf("cannot read the answer: %w", err)
	}
	return Answer{response.StatusCode, response.Header, string(body)}, nil
}

// Client keeps connections and follows no redirects. Close its idle connections when done.
func Client() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
