package main

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/posternhq/postern/hostabi/guest"
)

// Defaults of the parameters, as KubeSphere's clients know them.
const (
	defaultStep  = 10 * time.Minute
	defaultPage  = 1
	defaultLimit = 5
	maxFilter    = 4096 // bytes of a regular expression that the host evaluates; its own limit
)

// query is what a request asks for. Times are Unix seconds.
type query struct {
	r          *guest.Request
	now        int64
	at         int64 // of an instant query
	start, end int64 // of a range query
	step       float64
	ranged     bool

	metrics    string // regular expression, unanchored; "" is all
	resources  string // regular expression, anchored; "" is all
	sortMetric string // "" is unsorted; only of instant queries
	ascending  bool
	page       int
	limit      int

	timeout       int    // of each question, milliseconds
	exporterLabel string // that node_exporter's series name the node by
}

// parse reads the parameters; what cannot be read is a 400.
func parse(r *guest.Request) (*query, error) {
	q := &query{r: r, now: time.Now().Unix(), page: defaultPage, limit: defaultLimit}
	p := r.Query()
	q.metrics, q.resources = p.Get("metrics_filter"), p.Get("resources_filter")
	q.sortMetric, q.ascending = p.Get("sort_metric"), p.Get("sort_type") == "asc"
	for _, f := range []func(guest.Query) error{q.parseTimes, q.parsePage} {
		if err := f(p); err != nil {
			return nil, err
		}
	}
	if q.ranged {
		q.sortMetric = ""
	}
	if !utf8.ValidString(q.resources) || !utf8.ValidString(q.metrics) {
		return nil, guest.Fail(400, "filters have to be UTF-8")
	}
	return q, q.settings()
}

func (q *query) parseTimes(p guest.Query) (err error) {
	start, end := p.Get("start"), p.Get("end")
	switch {
	case start == "" && end == "":
		q.at, err = seconds(p, "time", q.now)
		return err
	case start == "" || end == "":
		return guest.Fail(400, "'time' and the combination of 'start' and 'end' are mutually exclusive.")
	}
	q.ranged = true
	if q.start, err = seconds(p, "start", 0); err != nil {
		return err
	}
	if q.end, err = seconds(p, "end", 0); err != nil {
		return err
	}
	if q.start > q.end {
		return guest.Fail(400, "'start' is later than 'end'")
	}
	step := defaultStep
	if text := p.Get("step"); text != "" {
		if step, err = time.ParseDuration(text); err != nil || step < time.Second {
			return guest.Fail(400, "'step' has to be a duration of at least 1s, such as 10m")
		}
	}
	q.step = step.Seconds()
	return nil
}

// seconds reads a parameter of whole Unix seconds.
func seconds(p guest.Query, name string, otherwise int64) (int64, error) {
	text := p.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > 1<<40 {
		return 0, guest.Fail(400, "'"+name+"' has to be a whole number of Unix seconds")
	}
	return n, nil
}

func (q *query) parsePage(p guest.Query) error {
	for name, into := range map[string]*int{"page": &q.page, "limit": &q.limit} {
		text := p.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1_000_000 {
			return guest.Fail(400, "'page' and 'limit' have to be whole numbers from 1 to 1000000")
		}
		*into = n
	}
	return nil
}

// settings are the module's, from the configuration.
func (q *query) settings() error {
	q.timeout, q.exporterLabel = 20_000, "node"
	d, err := q.r.NewData([]byte(guest.Settings()))
	if err != nil {
		return err
	}
	defer d.Drop()
	if text, ok := d.Get("/queryTimeout"); ok {
		t, err := time.ParseDuration(text)
		if err != nil || t < time.Millisecond {
			return guest.Fail(500, "the module's setting queryTimeout is not a duration")
		}
		q.timeout = int(t.Milliseconds())
	}
	if text, ok := d.Get("/nodeExporterLabel"); ok {
		if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
			return guest.Fail(500, "the module's setting nodeExporterLabel is not the name of a label")
		}
		q.exporterLabel = text
	}
	return nil
}

// since keeps the query from reaching back behind the time when its namespace was made: a namespace of the same name may
// have been somebody else's. It is false when nothing is left. The start moves forward by whole steps counted from the end.
func (q *query) since(born string) bool {
	t, err := time.Parse(time.RFC3339, born)
	if err != nil {
		return true
	}
	from := t.Unix()
	if !q.ranged {
		return q.at >= from
	}
	if q.end < from {
		return false
	}
	if q.start < from {
		step := max(int64(q.step), 1)
		q.start = q.end - (q.end-from)/step*step
	}
	return true
}

// object reads a cluster-scoped object: out of the cache, or live, since what was just made may not be there yet.
func (q *query) object(resource, name string) (guest.Data, error) {
	o := guest.Object{Version: "v1", Resource: resource, Name: name, AsModule: true, Cached: true, Timeout: q.timeout}
	d, err := q.r.Get(o)
	if !isNotFound(err) {
		return d, err
	}
	o.Cached = false
	d, err = q.r.Get(o)
	if isNotFound(err) {
		return d, guest.Fail(404, resource+" "+strconv.Quote(name)+" not found")
	}
	return d, err
}
