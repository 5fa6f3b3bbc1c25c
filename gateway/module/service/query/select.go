package query

import (
	"context"
	"slices"
)

// breath is after how many objects the client's leaving is noticed.
const breath = 1024

// pick is the page of rows that q asks for, in order, and how many rows there are in all. It looks at each row once; what
// is sorted is no more than the pages up to the one asked for.
func (q *question) pick(ctx context.Context, rows []*Row) (page []*Row, total int, err error) {
	want := q.offset + q.limit
	if q.limit == everything {
		want = len(rows)
	}
	best := newBest(min(want, len(rows)), q.before)
	for i, r := range rows {
		if i%breath == 0 && ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		if q.matches(r) {
			total++
			best.add(r)
		}
	}
	page = best.sorted()
	if q.limit == everything {
		want = total
	}
	return page[min(q.offset, len(page)):min(want, len(page))], total, nil
}

// hint says that no row counts but those with one of texts at a path. It is a filter as well, which is asked when nobody can
// find them faster.
type hint struct {
	path  string
	texts []string
}

// candidates are the rows of a list that may match: as few as can be found without looking.
func (q *question) candidates(list *List) []*Row {
	if list.Keep != nil {
		q.filters = slices.Insert(q.filters, 0, filter(list.Keep))
	}
	for _, h := range q.hints {
		if list.Find == nil {
			break
		}
		if rows, ok := list.Find(h.path, h.texts); ok {
			return rows
		}
	}
	return list.Rows
}

func (q *question) matches(r *Row) bool {
	for _, f := range q.filters {
		if !f(r) {
			return false
		}
	}
	return true
}

// best keeps the first of many rows. When twice as many as wanted have come, the later half goes; from then on only what
// comes before the last that was kept is taken.
type best struct {
	most   int
	before func(a, b *Row) int
	rows   []*Row
	last   *Row
}

func newBest(most int, before func(a, b *Row) int) *best {
	return &best{most: most, before: before, rows: make([]*Row, 0, min(2*most, 1024))}
}

func (b *best) add(r *Row) {
	if b.most == 0 || b.last != nil && b.before(r, b.last) >= 0 {
		return
	}
	b.rows = append(b.rows, r)
	if len(b.rows) >= 2*b.most {
		b.cut()
	}
}

// cut sorts what there is and keeps the wanted.
func (b *best) cut() {
	slices.SortFunc(b.rows, b.before)
	if len(b.rows) >= b.most {
		b.rows = b.rows[:b.most]
		b.last = b.rows[b.most-1]
	}
}

func (b *best) sorted() []*Row {
	if b.most > 0 {
		b.cut()
	}
	return b.rows
}
