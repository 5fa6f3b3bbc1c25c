package main

import (
	"strconv"
	"strings"

	"github.com/posternhq/postern/hostabi/guest"
)

// paging is how many resources there are, and pages of them.
type paging struct{ items, pages int }

// rank brings every metric's rows into the order of the resources by one metric, and cuts the page out. Where a metric
// has no row for a resource it gets an empty slot, so that the n-th rows of all are about the same one.
func (q *query) rank(l *level, results []result) (*paging, error) {
	order, err := q.order(l, results)
	if err != nil {
		return nil, err
	}
	count, err := order.Transform(`[{"count":true}]`)
	if err != nil {
		return nil, err
	}
	text, err := count.Bytes()
	if err != nil {
		return nil, err
	}
	items, err := strconv.Atoi(string(text))
	if err != nil {
		return nil, err
	}
	from := min((q.page-1)*q.limit, items)
	page, err := order.Transform(`[{"page":{"offset":` + strconv.Itoa(from) + `,"limit":` + strconv.Itoa(q.limit) + `}}]`)
	if err != nil {
		return nil, err
	}
	program := `[{"order":{"key":` + l.key() + `,"keys":{"doc":` + number10(page) + `},"missing":{"const":` + slot + `}}}]`
	for i := range results {
		rows := results[i].rows
		if results[i].rows, err = rows.Transform(program); err != nil {
			return nil, err
		}
		rows.Drop()
	}
	return &paging{items, (items + q.limit - 1) / q.limit}, nil
}

// order are the keys of all resources: by the figures of the metric that ranks, those it does not have behind, by name.
func (q *query) order(l *level, results []result) (guest.Data, error) {
	ranks := guest.Data{}
	var others []string
	for _, r := range results {
		if r.metric.name == q.sortMetric {
			ranks = r.rows
			continue
		}
		others = append(others, `{"doc":`+number10(r.rows)+`,"do":[{"map":`+l.key()+`}]}`)
	}
	rest := `{"concat":[` + strings.Join(others, ",") + `]},{"sort":[` + l.keySorting() + `]}`
	if ranks.Handle() == 0 {
		return q.transform(`[]`, `[`+rest+`,{"distinct":""}]`)
	}
	none, err := q.r.NewData([]byte("[]"))
	if err != nil {
		return none, err
	}
	direction := strconv.FormatBool(!q.ascending)
	return ranks.Transform(`[{"sort":[{"by":"/value/1","as":"number","desc":` + direction + `},` + l.sorting() + `]},{"map":` + l.key() + `},` +
		`{"concat":[{"doc":` + number10(none) + `,"do":[` + rest + `]}]},{"distinct":""}]`)
}
