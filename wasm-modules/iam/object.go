package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"

	"github.com/posternhq/postern/hostabi/guest"
)

// object is a Kubernetes object as JSON has it. Numbers keep their spelling.
type object map[string]any

// maxDepth bounds how deep a body may nest.
const maxDepth = 64

// decode reads one JSON value into v.
func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return guest.Fail(400, "cannot read the body: "+err.Error())
	}
	if _, err := d.Token(); err != io.EOF {
		return guest.Fail(400, "cannot read the body: there is more than one JSON value")
	}
	return nil
}

// body reads the request's body into v.
func (c *call) body(v any) error {
	d, err := c.r.Body()
	if err != nil {
		return err
	}
	b, err := d.Bytes()
	if err != nil {
		return err
	}
	d.Drop()
	return decode(b, v)
}

// bodyObject reads an object.
func (c *call) bodyObject() (object, error) {
	var o object
	if err := c.body(&o); err != nil {
		return nil, err
	}
	if o == nil {
		return nil, guest.Fail(400, "cannot read the body: it is no object")
	}
	if !shallow(map[string]any(o), maxDepth) {
		return nil, guest.Fail(400, "cannot read the body: it nests too deep")
	}
	return o, nil
}

func shallow(v any, depth int) bool {
	if depth == 0 {
		return false
	}
	switch v := v.(type) {
	case map[string]any:
		for _, child := range v {
			if !shallow(child, depth-1) {
				return false
			}
		}
	case []any:
		return !slices.ContainsFunc(v, func(child any) bool { return !shallow(child, depth-1) })
	}
	return true
}

func (o object) encode() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(map[string]any(o)); err != nil {
		panic(err) // it came out of JSON
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// at is the value below names, nil if there is none.
func (o object) at(names ...string) any {
	var v any = map[string]any(o)
	for _, name := range names {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

// text is a string below names; "" for what is none.
func (o object) text(names ...string) string {
	s, _ := o.at(names...).(string)
	return s
}

// child is an object below o, made if there is none.
func (o object) child(names ...string) object {
	for _, name := range names {
		next, ok := o[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			o[name] = next
		}
		o = next
	}
	return o
}

// set puts v below names; nil removes what is there.
func (o object) set(v any, names ...string) {
	last := len(names) - 1
	if v == nil {
		if parent, ok := o.at(names[:last]...).(map[string]any); ok {
			delete(parent, names[last])
		}
		return
	}
	o.child(names[:last]...)[names[last]] = v
}

func (o object) name() string                 { return o.text("metadata", "name") }
func (o object) namespace() string            { return o.text("metadata", "namespace") }
func (o object) label(name string) string     { return o.text("metadata", "labels", name) }
func (o object) annotation(key string) string { return o.text("metadata", "annotations", key) }

// texts are the strings of an array below names.
func (o object) texts(names ...string) []string {
	all, _ := o.at(names...).([]any)
	var texts []string
	for _, v := range all {
		if s, ok := v.(string); ok {
			texts = append(texts, s)
		}
	}
	return texts
}

// objects are the objects of an array below names.
func (o object) objects(names ...string) []object {
	all, _ := o.at(names...).([]any)
	var objects []object
	for _, v := range all {
		if m, ok := v.(map[string]any); ok {
			objects = append(objects, m)
		}
	}
	return objects
}

// clone is a copy that shares nothing with o.
func (o object) clone() object { return copied(map[string]any(o)).(map[string]any) }

func copied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, child := range v {
			m[key] = copied(child)
		}
		return m
	case []any:
		all := slices.Clone(v)
		for i := range all {
			all[i] = copied(all[i])
		}
		return all
	}
	return v
}

// merge is old with a merge patch (RFC 7396) applied; neither is changed.
func merge(old, patch map[string]any) map[string]any {
	merged := maps.Clone(old)
	if merged == nil {
		merged = map[string]any{}
	}
	for key, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(merged, key)
		case map[string]any:
			child, _ := merged[key].(map[string]any)
			merged[key] = merge(child, value)
		default:
			merged[key] = value
		}
	}
	return copied(merged).(map[string]any)
}

// same says whether two values are the same JSON.
func same(a, b any) bool {
	return bytes.Equal(object{"v": a}.encode(), object{"v": b}.encode())
}
