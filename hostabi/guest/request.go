package guest

import (
	"context"
	"strings"

	"github.com/posternhq/postern/hostabi"
)

// Request is a request as its handler sees it.
type Request struct {
	// Context is cancelled when the client leaves or the module's deadline is over.
	Context context.Context
	ex      uint32
	values  []pathValue
	query   Query
	parsed  bool
}

type pathValue struct{ name, value string }

// Field reads a part of the request: hostabi.FieldUser, FieldNamespace and so on.
func (r *Request) Field(f hostabi.Field) string {
	s, _ := grow(func(buf []byte) int32 { return requestField(r.ex, uint32(f), buf) })
	return s
}

// Method is the HTTP method.
func (r *Request) Method() string { return r.Field(hostabi.FieldMethod) }

// Path is the decoded path behind /kapis/<group>.
func (r *Request) Path() string { return r.Field(hostabi.FieldModulePath) }

// RawPath is that path as it was sent, escapes kept.
func (r *Request) RawPath() string { return r.Field(hostabi.FieldModuleRawPath) }

// RawQuery is the query as it was sent, without '?'.
func (r *Request) RawQuery() string { return r.Field(hostabi.FieldQuery) }

// User is the name of who asks.
func (r *Request) User() string { return r.Field(hostabi.FieldUser) }

// Groups are the groups of who asks.
func (r *Request) Groups() []string {
	text := r.Field(hostabi.FieldUserGroups)
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// Header is a request header's value, several joined by ", "; "" if there is none. Credentials are never there.
func (r *Request) Header(name string) string {
	s, _ := grow(func(buf []byte) int32 { return requestHeader(r.ex, name, buf) })
	return s
}

// PathValue is what the pattern's {name} matched.
func (r *Request) PathValue(name string) string {
	for _, v := range r.values {
		if v.name == name {
			return v.value
		}
	}
	return ""
}

// Query are the decoded query parameters.
func (r *Request) Query() Query {
	if !r.parsed {
		r.query, r.parsed = ParseQuery(r.RawQuery()), true
	}
	return r.query
}

// Body reads the request's body to its end, up to the module's limit.
func (r *Request) Body() (Data, error) {
	c, err := r.await(requestBody(r.ex))
	return Data{r.ex, c.Handle}, err
}

// NewData hands bytes to the host.
func (r *Request) NewData(b []byte) (Data, error) {
	n := handleNew(r.ex, b)
	if n < 0 {
		return Data{}, failure(n)
	}
	return Data{r.ex, uint32(n)}, nil
}

// Sleep waits for d milliseconds, or until the client leaves.
func (r *Request) Sleep(milliseconds uint32) error {
	_, err := r.await(sleep(r.ex, milliseconds))
	return err
}

// await parks the goroutine until the call that a host function started has completed. token is that function's result.
func (r *Request) await(token int32) (hostabi.Completion, error) {
	if token < 0 {
		return hostabi.Completion{}, failure(token)
	}
	c := wait(r.ex, uint32(token))
	if c.Code != hostabi.OK {
		return c, r.failed(c)
	}
	return c, nil
}

// CallError is a host call that failed.
type CallError struct {
	Code   hostabi.Code
	Status int // the backend's HTTP status, 0 if none
	Reason string
	// Data is what the backend answered, if it did; of Kubernetes a Status.
	Data Data
}

// Error is the reason, or the code in words.
func (e *CallError) Error() string {
	if e.Reason == "" {
		return e.Code.String()
	}
	return e.Reason
}

// Unwrap is the code, for errors.Is.
func (e *CallError) Unwrap() error { return e.Code }

func (r *Request) failed(c hostabi.Completion) error {
	reason, _ := grow(func(buf []byte) int32 { return errorOf(r.ex, c.Token, buf) })
	return &CallError{Code: c.Code, Status: int(c.Status), Reason: reason, Data: Data{r.ex, c.Handle}}
}

// failure makes a host function's negative result an error.
func failure(result int32) error {
	reason, _ := grow(lastError)
	return &CallError{Code: hostabi.Code(-result), Reason: reason}
}

// grow reads a value whose length is not known: read returns it, and writes only if it fits.
func grow(read func(buf []byte) int32) (string, int32) {
	var small [256]byte
	buf := small[:]
	for {
		n := read(buf)
		if n < 0 {
			return "", n
		}
		if int(n) <= len(buf) {
			return string(buf[:n]), n
		}
		buf = make([]byte, n)
	}
}
