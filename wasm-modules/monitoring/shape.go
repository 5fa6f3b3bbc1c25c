package main

import (
	"strconv"
	"strings"

	"github.com/posternhq/postern/hostabi/guest"
)

// meters are the members that every row has, also where nothing is metered: clients read them.
const meters = `"min_value":{"const":""},"max_value":{"const":""},"avg_value":{"const":""},"sum_value":{"const":""},` +
	`"fee":{"const":""},"resource_unit":{"const":""},"currency_unit":{"const":""}`

// slot is the row of a resource that a metric does not have.
const slot = `{"min_value":"","max_value":"","avg_value":"","sum_value":"","fee":"","resource_unit":"","currency_unit":""}`

// shape makes a metric's rows of Prometheus' answer: with labels of the resource, in KubeSphere's shape, followed by the
// edge's own rows of resources that Prometheus has no data for, and by name. about and edge may be the zero Data.
func (q *query) shape(l *level, m metric, a guest.Answer, about, edge guest.Data) (guest.Data, error) {
	steps := []string{`{"get":"/result"}`}
	if l == nodeLevel && q.exporterLabel != "node" {
		of := `"/metric/` + q.exporterLabel + `"`
		steps = append(steps, `{"set":{"/metric/node":{"either":["/metric/node",`+of+`]}}}`, `{"remove":[`+of+`]}`)
	}
	if about.Handle() != 0 {
		steps = append(steps, l.describe(about)...)
	}
	steps = append(steps, `{"map":{"object":{"metric":"/metric",`+q.value()+`,`+meters+`}}}`)
	if edge.Handle() != 0 && m.edge != "" {
		steps = append(steps, `{"concat":[{"doc":`+number10(edge)+`,"do":[{"where":{"at":`+m.edge+`,"exists":true}},`+
			`{"map":{"object":{"metric":"/metric",`+q.point(m.edge)+`,`+meters+`}}}]}]}`, `{"distinct":`+l.key()+`}`)
	}
	if len(l.labels) > 0 {
		steps = append(steps, `{"sort":[`+l.sorting()+`,{"by":"/metric/device"},{"by":"/metric/quantile"}]}`)
	}
	program := `[` + strings.Join(steps, ",") + `]`
	if a.Err != nil {
		return q.transform(`{"result":[]}`, program)
	}
	defer a.Data.Drop()
	return a.Data.Transform(program)
}

// describe are the steps that add what is known of each resource to its labels.
func (l *level) describe(about guest.Data) []string {
	set := make([]string, len(l.extra))
	for i, label := range l.extra {
		set[i] = `"/metric/` + label + `":"/about/` + label + `"`
	}
	return []string{
		`{"join":{"with":{"doc":` + number10(about) + `},"key":` + l.key() + `,"other":"/key","as":"/about"}}`,
		`{"set":{` + strings.Join(set, ",") + `}}`,
	}
}

// value is the member with the figures of a row of Prometheus'.
func (q *query) value() string {
	if q.ranged {
		return `"values":{"each":{"of":"/values","do":["/0",{"decimal":"/1"}]}}`
	}
	return `"value":["/value/0",{"decimal":"/value/1"}]`
}

// point is the member with the one figure that metrics-server has: that of now.
func (q *query) point(expr string) string {
	if q.ranged {
		return `"values":[[` + strconv.FormatInt(min(q.end, q.now), 10) + `,{"decimal":` + expr + `}]]`
	}
	return `"value":[` + strconv.FormatInt(q.at, 10) + `,{"decimal":` + expr + `}]`
}

// number10 is a document's number, for programs.
func number10(d guest.Data) string { return strconv.FormatUint(uint64(d.Handle()), 10) }
