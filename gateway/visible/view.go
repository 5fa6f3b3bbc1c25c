package visible

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
)

// view is one request that is answered with a part.
type view struct {
	stage      *Stage
	caller     caller
	rights     rights
	namespaced bool
	changed    <-chan struct{} // closed when rights may have changed since they were read
	toWatch    uint64          // of a list: the hash of the rights to watch the same, read before those to list it
	query      query
	labelled   map[string]bool // see seed; nil: nothing has to be remembered
	filtered   bool            // a list of what is in namespaces is filtered out of the whole: see choose
}

// maxNamed is up to how many places are asked one by one in any case. From there on the whole list is asked for and filtered
// where that is cheaper. Measured with 1,000 namespaces: 32 questions by name 33 ms, the whole list filtered 25 ms.
const maxNamed = 32

// whole says whether what can be seen is filtered out of the whole.
func (v *view) whole() bool {
	r := &v.rights
	return v.filtered || !v.namespaced && (len(r.names) > maxNamed && !v.stage.o.Strict || len(r.names) > 0 && len(r.workspaces) > 0)
}

// wholeWatch says whether a watch is filtered out of the watch of everything. Watches of several places cannot be put
// together: their events come in any order, so no event's resourceVersion would say what has been seen.
func (v *view) wholeWatch() bool {
	return v.caller.info.Verb == "watch" && (v.whole() || len(v.rights.places(v.namespaced)) > 1)
}

func (v *view) reason() string {
	r := &v.rights
	if v.namespaced {
		return fmt.Sprintf("visible: what is in namespaces: %d", len(r.namespaces))
	}
	return fmt.Sprintf("visible: by name: %d, of workspaces: %d", len(r.names), len(r.workspaces))
}

// serve answers x.
func (v *view) serve(x *exchange.Exchange) {
	x.Handled = name
	watch := v.caller.info.Verb == "watch"
	var ok bool
	if v.caller.accept, ok = acceptable(string(x.HTTP.Request.Header.Peek("Accept"))); !ok {
		status.Write(x, status.NotAcceptable, "only the following media types are accepted for a list that shows what one may see: application/json")
		return
	}
	var err error
	if v.query, err = readQuery(rawQuery(x), watch); err != nil {
		status.Write(x, status.BadRequest, err.Error())
		return
	}
	if watch {
		v.watch(x)
		return
	}
	v.list(x)
}

// rawQuery is the query as it was received.
func rawQuery(x *exchange.Exchange) string {
	_, q, _ := bytes.Cut(x.HTTP.Request.Header.RequestURI(), []byte("?"))
	return string(q)
}

// refusal is an answer that is none of a list or watch: ours, or kube-apiserver's.
type refusal struct {
	reason  status.Reason // empty: kube-apiserver's
	message string

	code                    int
	contentType, retryAfter string
	body                    []byte
}

func (r *refusal) Error() string { return "refused: " + r.message }

// maxRefusal bounds what is relayed of kube-apiserver's error, in bytes. A Status has some 300.
const maxRefusal = 64 << 10

// refused is kube-apiserver's answer as an error.
func refused(a *answer) error {
	body, err := io.ReadAll(io.LimitReader(a.body, maxRefusal))
	if err != nil {
		return err
	}
	return &refusal{code: a.code, contentType: a.contentType, retryAfter: a.retryAfter, body: body, message: fmt.Sprintf("kube-apiserver answered %d", a.code)}
}

// write makes r the answer.
func (r *refusal) write(x *exchange.Exchange) {
	if r.reason != "" {
		status.Write(x, r.reason, r.message)
		return
	}
	resp := &x.HTTP.Response
	resp.SetStatusCode(r.code)
	resp.Header.SetContentType(r.contentType)
	if r.retryAfter != "" {
		resp.Header.Set("Retry-After", r.retryAfter)
	}
	resp.SetBodyRaw(r.body)
	x.Reason = r.message
}

// stream answers x with what work writes. work runs beside the request until it is done or the client has left; it says
// how the answer begins before it writes, by begin. When it fails before, its error is the answer; later, the answer breaks
// off, which clients notice.
func (v *view) stream(x *exchange.Exchange, work func(ctx context.Context, w io.Writer, begin func(contentType string)) error) {
	ctx, cancel := context.WithCancel(x.Context())
	out, in := io.Pipe()
	start := time.Now()
	begun, done := make(chan string, 1), make(chan struct{})
	var failed error // of work; to be read behind done
	go func() {
		defer close(done)
		failed = guard(func() error { return work(ctx, in, func(contentType string) { begun <- contentType }) })
		_ = in.CloseWithError(failed)
	}()
	b := &body{PipeReader: out, x: x, cancel: cancel, done: done}
	select {
	case contentType := <-begun:
		x.Upstream = time.Since(start)
		x.HTTP.Response.Header.SetContentType(contentType)
		x.HTTP.Response.Header.Set("Cache-Control", "no-cache, private")
		x.StreamBody(b, -1)
	case <-done:
		b.stop()
		fail(x, failed)
	}
}

// fail answers x with err.
func fail(x *exchange.Exchange, err error) {
	var r *refusal
	switch {
	case errors.As(err, &r):
		r.write(x)
	case errors.Is(err, context.DeadlineExceeded):
		status.Write(x, status.Timeout, "kube-apiserver did not answer in time")
	case errors.Is(err, context.Canceled): // nobody reads this, unless it is a watch that the gateway's shutdown ends
		status.Write(x, status.ServiceUnavailable, "the request was given up")
		x.HTTP.Response.SetConnectionClose()
	default:
		status.Write(x, status.BadGateway, "kube-apiserver's answer cannot be read")
		x.Reason = fmt.Sprint(err)
	}
}

// body is an answer that is being made.
type body struct {
	*io.PipeReader
	x      *exchange.Exchange
	cancel context.CancelFunc
	done   <-chan struct{}
}

// Read notes why an answer breaks off.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.PipeReader.Read(p)
	if err != nil && err != io.EOF {
		b.x.Reason = err.Error()
	}
	return n, err
}

// Close ends the work and waits for it: the exchange ends behind it.
func (b *body) Close() error {
	b.stop()
	return nil
}

func (b *body) stop() {
	b.cancel()
	_ = b.PipeReader.Close()
	<-b.done
}
