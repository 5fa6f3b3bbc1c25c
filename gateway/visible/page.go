package visible

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"sync"
	"time"
)

const (
	pageSize   = 500      // objects that kube-apiserver is asked for at a time, as kubectl does
	batchSize  = 32 << 10 // bytes of objects that are handed on together
	maxBatches = 4        // of a page that nobody has taken yet
	maxTries   = 3        // of a page for which kube-apiserver has no time (429)
	maxPause   = 5 * time.Second
)

// source is one of the lists that a list is put together from.
type source struct {
	key            string // namespace or name; empty: the whole
	path           string
	labels, fields string
	keep           func(object []byte) bool // nil: all of it may be seen
}

// batch is what a page gives at a time: objects with commas between them, or a field of the list.
type batch struct {
	objects []byte
	n       int64
	field   *field
	array   string // the name of the objects' field, with the first
}

// page is one answer of kube-apiserver, read beside the list that it becomes a part of. What is in memory of it is bounded
// by its batches.
type page struct {
	limit   int64 // asked for
	stop    context.CancelFunc
	batches chan batch    // closed at the end
	settled chan struct{} // closed when the page is there, or as much of it as there is room for
	done    chan struct{} // closed at the end
	once    sync.Once

	// To be read at the end.
	err            error
	n              int64  // objects, those included that are not shown
	version, after string // the list's resourceVersion and continue

	contentType string // to be read behind the first batch
	next        batch
}

// read asks for source's objects with the page's query, and hands them on.
func (p *page) read(ctx context.Context, v *view, s *source, q url.Values) {
	defer func() {
		close(p.batches)
		close(p.done)
		p.settle()
	}()
	target := s.path + "?" + q.Encode()
	for try := 1; ; try++ {
		p.err = guard(func() error {
			return v.stage.ask(ctx, &v.caller, target, func(a *answer) error {
				if a.code != 200 {
					return refused(a)
				}
				p.contentType = a.contentType
				return p.split(ctx, s, a)
			})
		})
		busy, ok := p.err.(*refusal)
		if !ok || busy.code != 429 || try == maxTries || !pause(ctx, busy.retryAfter) {
			return
		}
	}
}

// pause waits as long as kube-apiserver says, in seconds, and at most maxPause. False: ctx has ended.
func pause(ctx context.Context, retryAfter string) bool {
	seconds, err := strconv.Atoi(retryAfter)
	if err != nil {
		seconds = 1
	}
	t := time.NewTimer(min(max(time.Duration(seconds)*time.Second, 0), maxPause))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *page) settle() { p.once.Do(func() { close(p.settled) }) }

// split reads the answer.
func (p *page) split(ctx context.Context, s *source, a *answer) error {
	l := listing{
		in:    newValues(a.body),
		field: func(f field) error { return p.field(ctx, f) },
		array: func(name string) error { return p.send(ctx, batch{array: name}) },
		item: func(b []byte) error {
			p.n++
			if s.keep != nil && !s.keep(b) {
				return nil
			}
			return p.add(ctx, b)
		},
	}
	if err := l.read(); err != nil {
		return err
	}
	return p.flush(ctx)
}

// field takes a field of the list. Of its metadata, version and continue count.
func (p *page) field(ctx context.Context, f field) error {
	if f.name == "metadata" {
		var m struct{ ResourceVersion, Continue string }
		if err := json.Unmarshal([]byte(f.value), &m); err != nil {
			return errSyntax
		}
		p.version, p.after = m.ResourceVersion, m.Continue
		f.value = m.ResourceVersion
	}
	return p.send(ctx, batch{field: &f})
}

// add adds an object to the next batch.
func (p *page) add(ctx context.Context, object []byte) error {
	if p.next.n > 0 {
		if len(p.next.objects)+len(object) > batchSize {
			if err := p.flush(ctx); err != nil {
				return err
			}
		} else {
			p.next.objects = append(p.next.objects, ',')
		}
	}
	p.next.objects = append(p.next.objects, object...)
	p.next.n++
	return nil
}

func (p *page) flush(ctx context.Context) error {
	if p.next.n == 0 {
		return nil
	}
	b := p.next
	p.next = batch{}
	return p.send(ctx, b)
}

// send hands b on, and waits while there is no room.
func (p *page) send(ctx context.Context, b batch) error {
	if b.array == "" && b.field != nil {
		if err := p.flush(ctx); err != nil { // fields behind the objects stay behind them
			return err
		}
	}
	select {
	case p.batches <- b:
		return nil
	default:
		p.settle()
	}
	select {
	case p.batches <- b:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
