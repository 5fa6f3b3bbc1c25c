package data

import (
	"bytes"
	"cmp"
	"math"
	"sort"
	"time"
)

// sorting sorts the rows by one key after the other. It is stable: rows equal in all keep their order.
type sorting []sortKey

type sortKey struct {
	by   expr
	as   string // string, number or time
	desc bool
}

func parseSort(p *parser, arg []byte) (step, error) {
	var s sorting
	for _, raw := range oneOrList(arg) {
		k, err := p.sortKey(raw)
		if err != nil {
			return nil, err
		}
		s = append(s, k)
	}
	return s, nil
}

func (p *parser) sortKey(raw []byte) (k sortKey, err error) {
	args, err := fields(raw, "by", "as", "desc")
	if err != nil {
		return k, err
	}
	if k.by, err = p.need(args, "by"); err != nil {
		return k, err
	}
	k.as = "string"
	if args["as"] != nil {
		if k.as, err = str(args["as"]); err != nil {
			return k, err
		}
	}
	if !contains([]string{"string", "number", "time"}, k.as) {
		return k, bad("cannot sort as %q", k.as)
	}
	if args["desc"] != nil {
		k.desc, err = boolean(args["desc"])
	}
	return k, err
}

// rank is one row's place by one key: first by class, which no direction turns round, then by number or text.
type rank struct {
	class  uint8
	number float64
	text   []byte
}

// Classes: what has a value, then NaN, then what has none.
const (
	hasValue uint8 = iota
	isNaN
	hasNone
)

func (s sorting) run(e *env, v *value) error {
	rows, err := v.list()
	if err != nil {
		return err
	}
	if len(rows)*len(s) > MaxRows {
		return tooLarge("more than %d sort keys", MaxRows)
	}
	ranks := make([]rank, 0, len(rows)*len(s))
	places := make([]int, len(rows))
	for i, row := range rows {
		places[i] = i
		for _, k := range s {
			ranks = append(ranks, k.rank(e, row))
		}
	}
	sort.SliceStable(places, func(a, b int) bool {
		return s.compare(ranks[places[a]*len(s):], ranks[places[b]*len(s):]) < 0
	})
	sorted := make([][]byte, len(rows))
	for i, place := range places {
		sorted[i] = rows[place]
	}
	v.setRows(sorted)
	return nil
}

func (s sorting) compare(a, b []rank) int {
	for i, k := range s {
		if c := cmp.Compare(a[i].class, b[i].class); c != 0 {
			return c
		}
		c := cmp.Compare(a[i].number, b[i].number)
		if c == 0 {
			c = bytes.Compare(a[i].text, b[i].text)
		}
		if k.desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// rank reads the key of a row. What is not of the wanted type counts as missing.
func (k sortKey) rank(e *env, row []byte) rank {
	if k.as == "number" {
		f, ok := e.number(k.by, row)
		switch {
		case !ok:
			return rank{class: hasNone}
		case math.IsNaN(f):
			return rank{class: isNaN}
		}
		return rank{number: f}
	}
	text, ok := e.text(k.by, row)
	if !ok {
		return rank{class: hasNone}
	}
	if k.as == "string" {
		return rank{text: text}
	}
	t, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return rank{class: hasNone}
	}
	return rank{number: float64(t.Unix()) + float64(t.Nanosecond())/1e9}
}
