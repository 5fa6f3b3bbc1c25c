package main

import (
	"errors"
	"strconv"
	"time"

	"github.com/posternhq/postern/hostabi"
	"github.com/posternhq/postern/hostabi/guest"
)

// result is a metric's part of the answer.
type result struct {
	metric metric
	rows   guest.Data // an array in KubeSphere's shape
	err    error
}

// answer asks for all of a level's metrics at once and writes what came. A metric that failed has its error beside it; the
// answer as a whole does not fail.
func (q *query) answer(w *guest.Response, l *level, s scope, edge edgeSource) error {
	if err := q.check(); err != nil {
		return err
	}
	chosen, err := q.selected(l)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		return w.JSON(`{"results":null}`)
	}
	figures := make(chan edgeFigures, 1)
	go func() { figures <- q.edgeFigures(chosen, edge) }()
	answers := q.ask(q.questions(l, s, chosen))
	results, err := q.results(l, chosen, answers, <-figures)
	if err != nil {
		return err
	}
	var pages *paging
	if q.sortMetric != "" && len(l.labels) > 0 {
		if pages, err = q.rank(l, results); err != nil {
			return err
		}
	}
	return q.write(w, results, pages)
}

// ask puts questions to Prometheus, all at once. Those for which the host has no room, because it is busy with other
// requests, are put again, for as long as a question may take.
func (q *query) ask(questions []guest.Prometheus) []guest.Answer {
	answers := q.r.AskAll(questions)
	last := time.Now().Add(time.Duration(q.timeout) * time.Millisecond)
	for pause := 5 * time.Millisecond; time.Now().Before(last); pause = min(2*pause, 100*time.Millisecond) {
		var again []guest.Prometheus
		var at []int
		for i, a := range answers {
			if errors.Is(a.Err, hostabi.Busy) {
				again, at = append(again, questions[i]), append(at, i)
			}
		}
		if len(again) == 0 {
			break
		}
		select {
		case <-q.r.Context.Done():
			return answers
		case <-time.After(pause):
		}
		for n, a := range q.r.AskAll(again) {
			answers[at[n]] = a
		}
	}
	return answers
}

// questions are one for each metric, and a last one about the resources if the level has it.
func (q *query) questions(l *level, s scope, chosen []metric) []guest.Prometheus {
	var all []guest.Prometheus
	for _, m := range chosen {
		all = append(all, q.question(s.expand(m.expr), q.ranged))
	}
	if l.about != "" {
		all = append(all, q.question(s.expand(l.about), false))
	}
	return all
}

func (q *query) question(expr string, ranged bool) guest.Prometheus {
	p := guest.Prometheus{Expr: expr, Timeout: q.timeout}
	if !ranged {
		p.Time = unix(max(q.at, q.end))
		return p
	}
	p.Operation, p.Start, p.End, p.Step = "query_range", unix(q.start), unix(q.end), q.step
	return p
}

// unix is a time for Prometheus, where 0 would mean that none is given.
func unix(seconds int64) float64 { return max(float64(seconds), 0.001) }

// results brings the answers into shape. Without any answer, because there is no Prometheus, it is an error.
func (q *query) results(l *level, chosen []metric, answers []guest.Answer, figures edgeFigures) ([]result, error) {
	about := guest.Data{}
	if l.about != "" {
		if last := answers[len(chosen)]; last.Err == nil {
			// A resource of which nothing more can be said still has its metrics.
			about, _ = last.Data.Transform(`[{"get":"/result"},{"map":` + l.aboutRow + `}]`)
		}
	}
	results := make([]result, len(chosen))
	for i, m := range chosen {
		rows, err := q.shape(l, m, answers[i], about, figures.rows)
		if err != nil {
			return nil, err
		}
		results[i] = result{m, rows, answers[i].Err}
		if results[i].err == nil && m.edge != "" && figures.err != nil && empty(rows) {
			results[i].err = figures.err
		}
	}
	return results, unconfigured(results)
}

// unconfigured is an error if every metric failed because the gateway knows no Prometheus.
func unconfigured(results []result) error {
	for _, r := range results {
		var call *guest.CallError
		if !errors.As(r.err, &call) || call.Code != hostabi.NotFound || call.Status != 0 || !empty(r.rows) {
			return nil
		}
	}
	return guest.Fail(503, "monitoring is not configured: set monitoring.endpoint in kubesphere.yaml to Prometheus' address")
}

// empty says whether an array has no elements.
func empty(rows guest.Data) bool { return rows.Len() <= int64(len("[]")) }

// nothing answers a query of the time before there was anything: every metric of the level, without data.
func (q *query) nothing(w *guest.Response, l *level) error {
	rows, err := q.r.NewData([]byte("[]"))
	if err != nil {
		return err
	}
	results := make([]result, len(l.metrics))
	for i, m := range l.metrics {
		results[i] = result{metric: m, rows: rows}
	}
	return q.write(w, results, nil)
}

// write puts the results around their rows, which do not come into the module.
func (q *query) write(w *guest.Response, results []result, pages *paging) error {
	kind := "vector"
	if q.ranged {
		kind = "matrix"
	}
	if err := w.Header("Content-Type", "application/json"); err != nil {
		return err
	}
	text := `{"results":[`
	for _, r := range results {
		text += `{"metric_name":` + guest.Quote(r.metric.name) + `,"data":{"resultType":"` + kind + `","result":`
		if err := w.WriteString(text); err != nil {
			return err
		}
		if err := w.Splice(r.rows); err != nil {
			return err
		}
		text = `}`
		if r.err != nil {
			text += `,"error":` + guest.Quote(r.err.Error())
		}
		text += `},`
	}
	text = text[:len(text)-1] + `]`
	if pages != nil {
		text += `,"page":` + strconv.Itoa(q.page) + `,"total_page":` + strconv.Itoa(pages.pages) + `,"total_item":` + strconv.Itoa(pages.items)
	}
	return w.WriteString(text + `}`)
}
