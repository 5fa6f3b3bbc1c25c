package visible

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
)

const (
	listLimit = time.Minute // kube-apiserver's own for a list
	maxAhead  = 8           // sources that are read ahead of the one that is being written
	maxBarren = 20          // pages of a filtered list with a limit in which nothing could be shown, in one answer
)

// list answers with a list.
func (v *view) list(x *exchange.Exchange) {
	var from place
	if v.query.token != "" {
		var err error
		if from, err = parsePlace(v.query.token); err != nil {
			status.Write(x, status.BadRequest, err.Error())
			return
		}
	}
	v.choose(x.Context(), from)
	m := &merge{view: v, sources: v.sources(), left: v.query.limit, limited: v.query.limit > 0, ahead: 1}
	if !m.limited {
		m.ahead = maxAhead // all will be needed
	}
	if v.query.token != "" {
		if err := m.resume(from); err != nil {
			fail(x, err)
			return
		}
	}
	if len(m.sources) == 0 {
		m.sources = []source{v.nothing()}
	}
	v.stage.metrics.request("list")
	v.stream(x, m.run)
}

// sources are what the list is put together from.
func (v *view) sources() (all []source) {
	q, info := &v.query, &v.caller.info
	path := listPath(info, "")
	switch {
	case v.whole():
		all = []source{{path: path, labels: q.labels, fields: q.fields, keep: v.keep}}
	case v.namespaced:
		for _, ns := range v.rights.namespaces {
			all = append(all, source{key: ns, path: listPath(info, ns), labels: q.labels, fields: q.fields})
		}
	case len(v.rights.workspaces) > 0:
		all = []source{{path: path, labels: and(v.ofWorkspaces(), q.labels), fields: q.fields, keep: v.keep}}
	default:
		for _, n := range v.rights.names {
			all = append(all, source{key: n, path: path, labels: q.labels, fields: and("metadata.name="+n, q.fields), keep: v.keep})
		}
	}
	return all
}

// ofWorkspaces selects what is labelled with the caller's workspaces.
func (v *view) ofWorkspaces() string {
	return workspaceLabel + " in (" + strings.Join(v.rights.workspaces, ",") + ")"
}

// noName is no object's name: a list of it is empty, with everything else that a list has.
const noName = "-"

// nothing is a source without objects.
func (v *view) nothing() source {
	ns := ""
	if v.namespaced {
		ns = v.rights.namespaces[0]
	}
	return source{path: listPath(&v.caller.info, ns), labels: v.query.labels, fields: "metadata.name=" + noName}
}

// merge writes one list made of several.
type merge struct {
	view    *view
	sources []source
	at      int    // the source that is being written
	after   string // kube-apiserver's token in it
	limited bool
	left    int64 // objects that may be written still, if limited
	version string
	pinned  bool // version counts

	ahead   int     // how many sources may be read ahead
	reading []*page // of the sources behind at
	all     sync.WaitGroup

	begin   func(contentType string)
	begun   bool
	out     *bufio.Writer
	array   string  // the name of the objects' field, once it has been written
	objects int64   // written
	fields  int     // written
	headed  bool    // the first page has been written, with its fields
	tail    []field // to be written behind the objects
	barren  int
}

// resume goes to where a token says. What is no longer permitted is left out, what has become so meanwhile is there.
func (m *merge) resume(p place) error {
	whole := len(m.sources) == 1 && m.sources[0].key == ""
	if p.Whole != whole {
		return expired()
	}
	m.version, m.pinned = p.Version, true
	if !whole {
		m.sources = slices.DeleteFunc(m.sources, func(s source) bool { return m.before(s.key, p.At) })
	}
	if len(m.sources) > 0 && m.sources[0].key == p.At {
		m.after = p.Continue
	}
	return nil
}

// before says whether a is listed before b.
func (m *merge) before(a, b string) bool {
	if m.view.namespaced {
		return byKey(a, b) < 0
	}
	return a < b
}

func expired() error {
	return &refusal{reason: status.Expired, message: "the continue parameter is too old for a consistent list: start a new list without it"}
}

// run writes the list.
func (m *merge) run(ctx context.Context, w io.Writer, begin func(contentType string)) error {
	ctx, cancel := context.WithTimeout(ctx, listLimit)
	defer m.all.Wait()
	defer cancel()
	m.out, m.begin = bufio.NewWriterSize(w, batchSize), begin
	var skipped error
	for m.at < len(m.sources) && !(m.limited && m.left <= 0) {
		p := m.take(ctx)
		err := m.copy(ctx, p)
		p.stop()
		switch {
		case err == nil:
			m.advance(p)
		case m.maySkip(err):
			skipped = err
			m.at, m.after = m.at+1, ""
		default:
			return m.explain(err)
		}
	}
	if !m.begun {
		return first(skipped, errSyntax)
	}
	return m.end()
}

// maySkip says whether the source is none of the caller's after all: kube-apiserver decides again, in identity strict.
func (m *merge) maySkip(err error) bool {
	var r *refusal
	return m.view.stage.o.Strict && errors.As(err, &r) && r.code == 403
}

// explain makes kube-apiserver's 410 ours: its text may hold a token of its own, which is none of this list.
func (m *merge) explain(err error) error {
	var r *refusal
	if errors.As(err, &r) && r.code == 410 {
		return expired()
	}
	return err
}

// advance goes on behind a page that has been written.
func (m *merge) advance(p *page) {
	if m.after = p.after; m.after == "" {
		m.at++
		m.ahead = min(2*m.ahead, maxAhead) // sources have been small so far
		return
	}
	if m.limited && m.sources[m.at].key == "" {
		// A page's end is the only place to go on from: better fewer objects than asked for than pages for what is left.
		if m.barren++; m.objects > 0 || m.barren == maxBarren {
			m.left = 0
		}
	}
}

// take is the page to be written next. One that was read ahead may have been asked for more than is left by now, and may be
// used if it has no more: otherwise the right number is asked for, so that a token of kube-apiserver's says where to go on.
func (m *merge) take(ctx context.Context) *page {
	if m.after == "" && len(m.reading) > 0 {
		p := m.reading[0]
		m.reading = m.reading[1:]
		if m.fits(ctx, p) {
			m.readAhead(ctx)
			return p
		}
		p.stop()
	}
	p := m.start(ctx, m.at, m.after)
	m.readAhead(ctx)
	return p
}

func (m *merge) fits(ctx context.Context, p *page) bool {
	if !m.limited || p.limit <= m.left {
		return true
	}
	select {
	case <-p.settled:
	case <-ctx.Done():
		return true // it ends with an error
	}
	return p.over() && p.after == "" && p.n <= m.left
}

// over says whether the page has been read to its end.
func (p *page) over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// readAhead begins to read what comes behind the source that is being written.
func (m *merge) readAhead(ctx context.Context) {
	for m.pinned && len(m.reading) < m.ahead && m.at+1+len(m.reading) < len(m.sources) {
		m.reading = append(m.reading, m.start(ctx, m.at+1+len(m.reading), ""))
	}
}

// start begins to read a page of a source.
func (m *merge) start(ctx context.Context, i int, after string) *page {
	s, limit := &m.sources[i], int64(pageSize)
	if m.limited && (s.key != "" || limit > m.view.query.limit) {
		limit = min(limit, m.left)
	}
	ctx, stop := context.WithCancel(ctx)
	p := &page{limit: limit, stop: stop, batches: make(chan batch, maxBatches), settled: make(chan struct{}), done: make(chan struct{})}
	q := m.pageQuery(s, limit, after)
	m.all.Go(func() { p.read(ctx, m.view, s, q) })
	return p
}

// pageQuery is what is asked for: the first page at the version that the client wants, all others at that one's.
func (m *merge) pageQuery(s *source, limit int64, after string) url.Values {
	q := url.Values{}
	for key, values := range m.view.query.rest {
		q[key] = values
	}
	set := func(key, value string) {
		if value != "" {
			q.Set(key, value)
		}
	}
	set("labelSelector", s.labels)
	set("fieldSelector", s.fields)
	set("limit", strconv.FormatInt(limit, 10))
	switch {
	case after != "":
		set("continue", after)
	case !m.pinned:
		set("resourceVersion", m.view.query.version)
		set("resourceVersionMatch", m.view.query.match)
	case m.version != "":
		set("resourceVersion", m.version)
		set("resourceVersionMatch", "Exact")
	}
	return q
}

// copy writes a page.
func (m *merge) copy(ctx context.Context, p *page) error {
	for b := range p.batches {
		if !m.begun {
			m.begun = true
			m.begin(p.contentType)
			_ = m.out.WriteByte('{')
		}
		if err := m.write(ctx, b); err != nil {
			return err
		}
	}
	if p.err != nil {
		return p.err
	}
	m.headed = true
	m.pin(p.version)
	return nil
}

// pin makes version the one of all pages to come.
func (m *merge) pin(version string) {
	if !m.pinned {
		m.version, m.pinned = version, true
		m.view.listed(version)
	}
}

// write writes a batch: of the first page everything, of others the objects.
func (m *merge) write(ctx context.Context, b batch) error {
	switch {
	case b.field != nil && b.field.name == "metadata":
		if b.field.value != "" {
			m.pin(b.field.value)
			m.readAhead(ctx)
		}
	case b.field != nil:
		m.field(*b.field)
	case b.array != "":
		m.open(b.array)
	default:
		if m.objects > 0 {
			_ = m.out.WriteByte(',')
		}
		m.objects += b.n
		m.left -= b.n
		_, err := m.out.Write(b.objects)
		return err
	}
	return nil
}

// field writes a field of the first page, or keeps it until the objects of all pages have been written.
func (m *merge) field(f field) {
	switch {
	case m.headed:
	case m.array != "":
		m.tail = append(m.tail, f)
	default:
		m.name(f.name)
		_, _ = m.out.WriteString(f.value)
	}
}

func (m *merge) name(name string) {
	if m.fields++; m.fields > 1 {
		_ = m.out.WriteByte(',')
	}
	quoted, _ := json.Marshal(name) // strings always encode
	_, _ = m.out.Write(append(quoted, ':'))
}

// open begins the objects, once.
func (m *merge) open(array string) {
	if m.array == "" {
		m.array = array
		m.name(array)
		_ = m.out.WriteByte('[')
	}
}

// end writes what is behind the objects.
func (m *merge) end() error {
	m.open("items")
	_ = m.out.WriteByte(']')
	m.headed, m.array = false, ""
	for _, f := range m.tail {
		m.field(f)
	}
	meta := struct {
		ResourceVersion string `json:"resourceVersion,omitempty"`
		Continue        string `json:"continue,omitempty"`
	}{ResourceVersion: m.version}
	if m.at < len(m.sources) {
		key := m.sources[m.at].key
		meta.Continue = place{Version: m.version, At: key, Continue: m.after, Whole: key == ""}.encode()
	}
	text, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	m.field(field{"metadata", string(text)})
	_, _ = m.out.WriteString("}\n")
	m.view.stage.metrics.shown(m.objects)
	return m.out.Flush()
}
