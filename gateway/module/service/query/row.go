// Package query answers what clients ask of every list of the platform: filters, order and a page, by the keys of their
// query. It works on objects as raw JSON, where they are kept: what is not on the page is neither decoded nor copied.
package query

import (
	"strings"
	"time"

	"github.com/posternhq/postern/gateway/module/data"
)

// Row is an object with what every question to a list asks of it. It is immutable.
type Row struct {
	Raw             []byte // a JSON object
	Name, Namespace string
	Created         int64  // Unix seconds of metadata.creationTimestamp; 0: it has none
	Labels          Labels // within Raw
}

// NewRow reads an object. It keeps raw.
func NewRow(raw []byte) *Row {
	r := &Row{Raw: raw, Name: textAt(raw, "/metadata/name"), Namespace: textAt(raw, "/metadata/namespace"), Labels: LabelsOf(raw)}
	if t, err := time.Parse(time.RFC3339, textAt(raw, "/metadata/creationTimestamp")); err == nil {
		r.Created = t.Unix()
	}
	return r
}

// textAt is the text at a pointer; empty if there is none.
func textAt(raw []byte, pointer string) string {
	t, _ := lookup(raw, pointer)
	return t
}

// Labels are labels or annotations as raw JSON: they are read when a selector asks, not kept twice. It implements
// labels.Labels.
type Labels []byte

// LabelsOf are an object's labels.
func LabelsOf(raw []byte) Labels {
	l, _ := data.Get(raw, "/metadata/labels")
	return l
}

// Lookup is a label's value.
func (l Labels) Lookup(label string) (string, bool) {
	raw, ok := data.Member(l, label)
	if !ok {
		return "", false
	}
	value, ok := data.Text(raw)
	return string(value), ok
}

// Has says whether there is such a label.
func (l Labels) Has(label string) bool { _, ok := l.Lookup(label); return ok }

// Get is a label's value; empty if there is none.
func (l Labels) Get(label string) string { v, _ := l.Lookup(label); return v }

// escape makes a name a token of a JSON Pointer.
func escape(name string) string {
	if !strings.ContainsAny(name, "~/") {
		return name
	}
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// lookup is the text at a pointer, if there is one.
func lookup(raw []byte, pointer string) (string, bool) {
	v, ok := data.Get(raw, pointer)
	if !ok {
		return "", false
	}
	t, ok := data.Text(v)
	return string(t), ok
}
