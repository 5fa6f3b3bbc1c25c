package query

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// question is a client's question to a list.
type question struct {
	filters   []filter
	hints     []hint
	byName    bool // else by creation time
	ascending bool
	offset    int
	limit     int // below 0: all
	unknown   []string
	unsorted  string // a sortBy that is none
}

// everything is a limit that is none.
const everything = -1

// ask reads a client's raw query. more are the list's own filters by key, known the keys that somebody else reads. Of a key
// that is there twice the last one counts, an empty one is as none.
func ask(raw string, more map[string]maker, known map[string]bool) (*question, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, fmt.Errorf("cannot read the query: %w", err)
	}
	q := &question{limit: everything}
	page := 1
	for key, all := range values {
		value := all[len(all)-1]
		if value == "" || known[key] {
			continue
		}
		if err := q.take(key, value, &page, more); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	slices.Sort(q.unknown)
	q.turn(page)
	return q, nil
}

// take reads one key.
func (q *question) take(key, value string, page *int, more map[string]maker) (err error) {
	switch key {
	case "page":
		if *page, err = strconv.Atoi(value); err != nil || *page < 1 {
			return fmt.Errorf("%.80q is not a page: the first one is 1", value)
		}
	case "limit":
		if q.limit, err = strconv.Atoi(value); err != nil {
			return fmt.Errorf("%.80q is not a number of objects: -1 is all", value)
		}
	case "ascending":
		if q.ascending, err = strconv.ParseBool(value); err != nil {
			return fmt.Errorf("%.80q is neither true nor false", value)
		}
	case "sortBy":
		q.byName = value == "name"
		if !q.byName && value != "creationTimestamp" && value != "createTime" {
			q.unsorted = value
		}
	default:
		return q.filter(key, value, more)
	}
	return nil
}

func (q *question) filter(key, value string, more map[string]maker) error {
	of := more[key]
	if of == nil {
		of = standard[key]
	}
	if of == nil {
		q.unknown = append(q.unknown, key)
		return nil
	}
	f, err := of(value)
	q.filters = append(q.filters, f)
	return err
}

// turn makes a page an offset. One that would be beyond all numbers is behind the last object.
func (q *question) turn(page int) {
	const most = 1 << 40
	if q.limit < 0 {
		q.limit = everything
		if page > 1 { // all are on the first one
			q.offset = most
		}
		return
	}
	q.limit = min(q.limit, most)
	q.offset = most
	if q.limit == 0 || page-1 <= most/q.limit {
		q.offset = (page - 1) * q.limit
	}
}

// before is the order of the list: negative if a comes first. Objects of the same time are in the order of their names, in
// the same direction; those of the same name in that of their namespaces. So no two places are equal, and pages fit together.
func (q *question) before(a, b *Row) int {
	c := 0
	if !q.byName {
		c = cmp.Compare(a.Created, b.Created)
	}
	if c == 0 {
		if c = strings.Compare(a.Name, b.Name); c == 0 {
			c = strings.Compare(a.Namespace, b.Namespace)
		}
	}
	if q.ascending {
		return c
	}
	return -c
}

// maxWarned bounds the keys that a warning names.
const maxWarned = 5

// warning is the value of a Warning header; empty if there is nothing to warn of. Keys are escaped: they are the client's.
func (q *question) warning() string {
	var all []string
	if n := len(q.unknown); n > 0 {
		names := make([]string, min(n, maxWarned))
		for i := range names {
			names[i] = short(q.unknown[i])
		}
		if n > maxWarned {
			names = append(names, fmt.Sprintf("and %d more", n-maxWarned))
		}
		all = append(all, `299 - "unknown query parameters are ignored: `+strings.Join(names, ", ")+`"`)
	}
	if q.unsorted != "" {
		all = append(all, `299 - "cannot sort by `+short(q.unsorted)+`: sorted by creationTimestamp"`)
	}
	return strings.Join(all, ", ")
}

// short is a word of the client's, fit for a header.
func short(word string) string {
	const most = 64 // bytes
	return url.QueryEscape(word[:min(len(word), most)])
}
