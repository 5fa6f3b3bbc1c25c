package main

import (
	"errors"
	"strings"

	"github.com/posternhq/postern/hostabi/guest"
)

// equal is the rest of a PromQL matcher, behind its label, for one value.
func equal(value string) string { return `="` + escape(value) + `"` }

// matching is likewise for a regular expression.
func matching(pattern string) string {
	if pattern == "" {
		pattern = ".*"
	}
	return `=~"` + escape(pattern) + `"`
}

// escape makes a value the inside of a PromQL string: nothing in it ends the string.
func escape(value string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value)
}

// nodeScope selects nodes by the rest of a matcher.
func (q *query) nodeScope(matcher string) scope {
	return scope{node: "node" + matcher, exporter: q.exporterLabel + matcher, by: q.exporterLabel}
}

// condition is the resources filter as a condition of Transform on the text at a pointer; "" if all pass. What is only a
// list of names, as the console sends it, is looked up rather than matched: there is no limit on its length.
func (q *query) condition(at string) string {
	filter := strings.TrimSuffix(q.resources, "$")
	switch {
	case filter == "" || filter == ".*":
		return ""
	case isNames(filter):
		var names []string
		for name := range strings.SplitSeq(filter, "|") {
			names = append(names, guest.Quote(strings.TrimSuffix(name, "$")))
		}
		return `{"at":` + guest.Quote(at) + `,"in":[` + strings.Join(names, ",") + `]}`
	}
	return `{"at":` + guest.Quote(at) + `,"matches":` + guest.Quote("^(?s:"+q.resources+")$") + `}`
}

// isNames says whether a filter is only a list of names.
func isNames(filter string) bool {
	return strings.Trim(filter, "abcdefghijklmnopqrstuvwxyz0123456789-.|$") == ""
}

// isNotFound says whether Kubernetes answered that there is no such thing.
func isNotFound(err error) bool {
	var call *guest.CallError
	return errors.As(err, &call) && call.Status == 404
}

// check refuses a resources filter that is no regular expression on its own: between the anchors it might still be one, but
// another; and in PromQL every metric would fail, each with its own error.
func (q *query) check() error {
	if q.condition("") == "" || len(q.resources) > maxFilter && isNames(q.resources) {
		return nil
	}
	if _, err := q.transform(`[]`, `[{"where":{"matches":`+guest.Quote(q.resources)+`}}]`); err != nil {
		return guest.Fail(400, "'resources_filter' is not a regular expression of at most 4096 bytes: "+err.Error())
	}
	return nil
}

// transform runs a program on a document of the module's own.
func (q *query) transform(document, program string) (guest.Data, error) {
	d, err := q.r.NewData([]byte(document))
	if err != nil {
		return d, err
	}
	defer d.Drop()
	return d.Transform(program)
}

// selected are the level's metrics that the metrics filter matches, in the order of its table.
func (q *query) selected(l *level) ([]metric, error) {
	if q.metrics == "" || q.metrics == ".*" {
		return l.metrics, nil
	}
	var names []string
	for _, m := range l.metrics {
		names = append(names, guest.Quote(m.name))
	}
	d, err := q.transform(`[`+strings.Join(names, ",")+`]`, `[{"where":{"matches":`+guest.Quote(q.metrics)+`}}]`)
	if err != nil {
		return nil, guest.Fail(400, "'metrics_filter' is not a regular expression of at most 4096 bytes: "+err.Error())
	}
	matched, err := d.Bytes()
	if err != nil {
		return nil, err
	}
	var chosen []metric
	for _, m := range l.metrics {
		if strings.Contains(string(matched), guest.Quote(m.name)) {
			chosen = append(chosen, m)
		}
	}
	return chosen, nil
}
