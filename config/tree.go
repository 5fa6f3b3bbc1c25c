package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
)

// member is one key of an object that is printed in the order of its struct.
type member struct {
	key     string
	comment string
	value   any // object, []any, string, word, bool, a number or nil
}

type object []member

// word is text that needs no quotes in YAML: a duration, a size.
type word string

// MarshalJSON keeps the order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s:%s", jsonString(m.key), value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// treeOf turns a section into what is printed: durations and sizes as text,
// secrets masked, keys in our spelling.
func treeOf(v reflect.Value) object {
	var o object
	for _, f := range fieldsOf(v.Type()) {
		value := v.FieldByIndex(f.index)
		if value.Kind() == reflect.Pointer {
			if value.IsNil() {
				continue // not set, and its absence means something
			}
			value = value.Elem()
		}
		o = append(o, member{f.key, commentOf(f), treeValue(f, value)})
	}
	return o
}

func treeValue(f field, v reflect.Value) any {
	switch shapeOf(v.Type()) {
	case section:
		return treeOf(v)
	case table:
		o := object{}
		for _, name := range sortedKeys(v) {
			o = append(o, member{key: name.String(), value: treeOf(v.MapIndex(name))})
		}
		return o
	case free:
		return freeTree(v.Interface())
	case list, objects:
		items := make([]any, v.Len())
		for i := range items {
			items[i] = treeValue(f, v.Index(i))
		}
		return items
	}
	return treeScalar(f, v)
}

func treeScalar(f field, v reflect.Value) any {
	switch v.Type() {
	case durationType, sizeType:
		return word(fmt.Sprint(v.Interface()))
	case prefixType:
		return fmt.Sprint(v.Interface())
	}
	if v.Kind() != reflect.String {
		return v.Interface()
	}
	if f.secret() {
		return masked(v.String())
	}
	return maskURL(v.String())
}

// masked keeps the empty string: that nothing is set is no secret.
func masked(secret string) string {
	if secret == "" {
		return ""
	}
	return Mask
}

// maskURL replaces the password of a URL that has one.
func maskURL(text string) string {
	if !strings.Contains(text, "@") || !strings.Contains(text, "://") {
		return text
	}
	u, err := url.Parse(text)
	if err != nil {
		return Mask // it looks like a URL with a password, and cannot be taken apart
	}
	return u.Redacted()
}

// freeTree copies a map of anything in the order of its keys. A value whose
// name sounds secret is masked whatever it is.
func freeTree(value any) any {
	switch v := value.(type) {
	case map[string]any:
		o := object{}
		for _, key := range sortedNames(v) {
			m := member{key: key, value: freeTree(v[key])}
			if soundsSecret(key) && v[key] != nil && v[key] != "" {
				m.value = Mask
			}
			o = append(o, m)
		}
		return o
	case []any:
		items := make([]any, len(v))
		for i := range v {
			items[i] = freeTree(v[i])
		}
		return items
	case string:
		return maskURL(v)
	}
	return value
}

func commentOf(f field) string {
	comment := f.doc()
	if words := f.enum(); words != nil {
		comment += " [" + strings.Join(words, ", ") + "]"
	}
	if f.restart() {
		comment += " (restart)"
	}
	return comment
}
