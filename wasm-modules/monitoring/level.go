package main

import "strings"

// level is one of the kinds of things that have metrics.
type level struct {
	metrics []metric
	// labels are the parts of a row's key, in its metric member: what a resource is told apart by. None for the cluster.
	labels []string
	// about asks for what else is known of each resource; aboutRow makes rows of the answer, which have the key's labels and
	// extra ones, and these are added to each row's labels. "" if there is nothing.
	about    string
	aboutRow string
	extra    []string
}

// metric is a name that clients ask for.
type metric struct {
	name string
	// expr is PromQL; see scope.expand for the words in it.
	expr string
	// edge is an expression of Transform on rows of edge figures; "" if metrics-server does not know it.
	edge string
}

// scope is which resources a request is about, as PromQL matchers.
type scope struct {
	node     string // on the label node
	exporter string // the same on node_exporter's series
	by       string // the label of node_exporter's that names the node
	pod      string // on namespace and pod
}

// expand puts the scope's matchers in the places of $node, $exporter and $pod, and its label in that of $by. What is put
// in is not searched again.
func (s scope) expand(expr string) string {
	return strings.NewReplacer("$node", s.node, "$exporter", s.exporter, "$pod", s.pod, "$by", s.by).Replace(expr)
}

// key is the expression of Transform for a row's key.
func (l *level) key() string {
	parts := make([]string, len(l.labels))
	for i, label := range l.labels {
		parts[i] = `"/metric/` + label + `"`
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return `[` + strings.Join(parts, ",") + `]`
}

// sorting are the sort keys of rows by their key.
func (l *level) sorting() string {
	keys := make([]string, len(l.labels))
	for i, label := range l.labels {
		keys[i] = `{"by":"/metric/` + label + `"}`
	}
	return strings.Join(keys, ",")
}

// keySorting is likewise for keys on their own.
func (l *level) keySorting() string {
	if len(l.labels) == 1 {
		return `{"by":""}`
	}
	keys := make([]string, len(l.labels))
	for i := range l.labels {
		keys[i] = `{"by":"/` + string(rune('0'+i)) + `"}`
	}
	return strings.Join(keys, ",")
}
