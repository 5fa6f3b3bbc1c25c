package config

import (
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"time"
)

// field is one key of a section.
type field struct {
	key   string // as documented; matched without regard to case
	index []int
	typ   reflect.Type
	tag   reflect.StructTag
}

func (f field) doc() string   { return f.tag.Get("doc") }
func (f field) secret() bool  { return f.tag.Get("secret") == "true" }
func (f field) restart() bool { return f.tag.Get("restart") == "true" }

// enum returns the allowed words, or nil.
func (f field) enum() []string {
	if words := f.tag.Get("enum"); words != "" {
		return strings.Split(words, ",")
	}
	return nil
}

// fieldCache is bounded by the number of struct types in this package.
var fieldCache sync.Map // reflect.Type → []field

// fieldsOf lists the keys of a section in the order of its struct; embedded
// structs are spliced in, as encoding/json does.
func fieldsOf(t reflect.Type) []field {
	if cached, ok := fieldCache.Load(t); ok {
		return cached.([]field)
	}
	var fields []field
	for i := range t.NumField() {
		sf := t.Field(i)
		if sf.Tag.Get("json") == "-" {
			continue // filled by the loader, not a key
		}
		if sf.Anonymous {
			for _, f := range fieldsOf(sf.Type) {
				f.index = append([]int{i}, f.index...)
				fields = append(fields, f)
			}
			continue
		}
		fields = append(fields, field{sf.Tag.Get("json"), []int{i}, sf.Type, sf.Tag})
	}
	fieldCache.Store(t, fields)
	return fields
}

// findField returns the field that a key of a file means.
func findField(t reflect.Type, key string) (field, bool) {
	for _, f := range fieldsOf(t) {
		if strings.EqualFold(f.key, key) {
			return f, true
		}
	}
	return field{}, false
}

// shape is how a type is written in YAML.
type shape int

const (
	scalar  shape = iota // one value
	section              // a struct
	table                // a map from a name to a struct
	list                 // a list of scalars
	objects              // a list of structs
	free                 // a map of anything
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	sizeType     = reflect.TypeFor[Size]()
	prefixType   = reflect.TypeFor[netip.Prefix]()
)

func shapeOf(t reflect.Type) shape {
	switch {
	case t == prefixType:
		return scalar
	case t.Kind() == reflect.Struct:
		return section
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Struct:
		return table
	case t.Kind() == reflect.Map:
		return free
	case t.Kind() == reflect.Slice && shapeOf(t.Elem()) == section:
		return objects
	case t.Kind() == reflect.Slice:
		return list
	}
	return scalar
}
