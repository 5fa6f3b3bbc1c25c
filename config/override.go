package config

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
)

// Part says which part of a value an override replaces.
type Part int

// The parts of a value; Host and Port are of an address.
const (
	Whole Part = iota
	Host
	Port // 0 switches the listener off
)

// Override is a value that wins over file and environment at every load: a
// flag. An unknown path is an error.
type Override struct {
	Path   string // as postern.listen.address; \. is a dot inside a name
	Value  string // as in a variable
	Part   Part
	Source string // for messages, as --insecure-port
}

func (l *loader) addOverrides(overrides []Override) {
	for _, o := range overrides {
		t, nearest, ok := resolvePath(parsePath(o.Path))
		if !ok {
			l.report.fail(Problem{File: o.Source, Key: o.Path, Message: "unknown key", Nearest: nearest})
			continue
		}
		if o.Part != Whole {
			o.Value = l.replacePart(t, o)
		}
		if value := l.fromText(t, o.Value, origin{file: o.Source}); value != nil {
			l.add(nest(t.at, value))
		}
	}
}

// replacePart puts a host or port into the address that the layers below give.
func (l *loader) replacePart(t target, o Override) string {
	address, ok := dig(l.layers.Raw(), t.at...).(string)
	if !ok {
		address = t.fallback
	}
	host, port, err := net.SplitHostPort(address)
	switch {
	case o.Part == Port && o.Value == "0":
		return ""
	case o.Part == Port:
		return net.JoinHostPort(host, o.Value)
	case err != nil: // no listener: there is no host to set
		return address
	}
	return net.JoinHostPort(o.Value, port)
}

// fromText reads the text of a variable or flag: a scalar as it is, a list
// with commas or as JSON, all else as JSON or YAML. Nil: nothing to set.
func (l *loader) fromText(t target, text string, o origin) any {
	l.sources[t.at.String()] = source{file: o.file}
	switch {
	case t.typ == nil:
		return freeText(text, t.secret)
	case shapeOf(t.typ) == scalar:
		if t.secret && text == Mask {
			return nil
		}
		return text
	case shapeOf(t.typ) == list && !strings.HasPrefix(strings.TrimSpace(text), "["):
		return splitList(text)
	}
	return l.parse(o, []byte(text), t.typ, t.at)
}

// freeText gives a value in a map of anything its JSON type, if it is JSON;
// else, and when its name sounds secret (a password 007), it is a string.
func freeText(text string, secret bool) any {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if secret || decoder.Decode(&value) != nil || value == nil {
		return text
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return text
	}
	return plainNumbers(value)
}

// plainNumbers replaces json.Number by int64 or float64, as YAML would.
func plainNumbers(value any) any {
	switch v := value.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = plainNumbers(v[key])
		}
	}
	return value
}

// nest makes the map that holds value at a path.
func nest(at path, value any) map[string]any {
	for i := len(at) - 1; i > 0; i-- {
		value = map[string]any{at[i]: value}
	}
	return map[string]any{at[0]: value}
}
