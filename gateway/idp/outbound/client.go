package outbound

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/posternhq/postern/gateway/idp"
)

// Bounds of one question to a provider.
const (
	timeout     = 10 * time.Second // from dialling to the last byte
	maxAnswer   = 1 << 20          // bytes
	maxConns    = 16               // to one host; others wait
	maxIdle     = 4
	idleTime    = 30 * time.Second
	maxRedirect = 3
)

// Client is an HTTP client for one provider.
type Client struct {
	http.Client
	transport *http.Transport
}

// NewClient makes a client that believes what t says. The proxies of the environment are used. The error is an
// *idp.OptionError.
func NewClient(t Trust) (*Client, error) {
	config, err := TLS(t)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true,
		MaxConnsPerHost: maxConns, MaxIdleConns: maxIdle, MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: idleTime,
		MaxResponseHeaderBytes: 64 << 10,
	}
	c := &Client{transport: transport}
	c.Transport, c.Timeout, c.CheckRedirect = limited{transport}, timeout, redirect
	return c, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

var errRedirect = errors.New("redirected to elsewhere")

// redirect follows nothing that carries a code or a secret, and nobody to another host.
func redirect(next *http.Request, before []*http.Request) error {
	first := before[0]
	if len(before) > maxRedirect || first.Method != http.MethodGet || next.URL.Scheme != first.URL.Scheme || next.URL.Host != first.URL.Host {
		return errRedirect
	}
	return nil
}

// limited bounds what answers may be.
type limited struct{ next http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(r)
	if err == nil {
		response.Body = &body{response.Body, maxAnswer}
	}
	return response, err
}

var errTooLong = fmt.Errorf("answer of more than %d bytes", maxAnswer)

// body fails behind so many bytes: half an answer must not look like a whole one.
type body struct {
	io.ReadCloser
	left int
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if b.left -= n; b.left < 0 {
		return 0, errTooLong
	}
	return n, err
}

// JSON asks address for a JSON object and reads it into v. token goes along as a bearer token, unless it is empty.
func (c *Client) JSON(ctx context.Context, address, token string, v any) error {
	data, err := c.Get(ctx, address, token, "application/json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("cannot decode the answer of an identity provider: %w: %w", idp.ErrRefused, err)
	}
	return nil
}

// Get asks address and gives the body of a 200. That a provider does not answer, or answers 5xx or 429, is ErrUnavailable; any other
// answer is ErrRefused.
func (c *Client) Get(ctx context.Context, address, token, accept string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot ask an identity provider: %w", Cause(err))
	}
	request.Header.Set("Accept", accept)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.Do(request)
	if err != nil {
		return nil, fmt.Errorf("cannot ask %s: %w: %w", request.URL.Host, idp.ErrUnavailable, Cause(err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: %s answers %s", Verdict(response.StatusCode), request.URL.Host, response.Status)
	}
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("cannot read the answer of %s: %w: %w", request.URL.Host, idp.ErrUnavailable, err)
	}
	return data, nil
}

// Cause is err without the URL, whose query may be a secret.
func Cause(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// Verdict is what a status other than 200 means.
func Verdict(status int) error {
	if status >= 500 || status == http.StatusTooManyRequests {
		return idp.ErrUnavailable
	}
	return idp.ErrRefused
}
