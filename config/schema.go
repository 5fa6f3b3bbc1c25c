package config

import (
	"encoding/json"
	"reflect"

	"github.com/invopop/jsonschema"
)

// Patterns of the texts that types and checks allow.
const (
	durationPattern = `^[+-]?(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+$`
	sizePattern     = `^[0-9]+ ?([KMGT]iB?|[KMGT]B|B)?$`
	urlPattern      = `^(https?://.+)?$`
	addressPattern  = `^(.*:[0-9]{1,5})?$`
)

// Schema returns the JSON Schema (draft 2020-12) of kubesphere.yaml, for
// editors. It is stricter than Load: keys are spelled as documented, and
// unknown ones are refused. Of filters it knows the settings of kinds.
func Schema(kinds ...FilterKind) ([]byte, error) {
	root := schemaOfSection(reflect.ValueOf(Default()).Elem())
	root.Version = jsonschema.Version
	root.Title = "kubesphere.yaml"
	root.Description = "Configuration of Postern: KubeSphere's sections and one of its own, postern."
	describeFilters(root, kinds)
	return printSchema(root)
}

// schemaOfSection describes a section whose defaults are in v.
func schemaOfSection(v reflect.Value) *jsonschema.Schema {
	s := &jsonschema.Schema{
		Type:                 "object",
		Properties:           jsonschema.NewProperties(),
		AdditionalProperties: jsonschema.FalseSchema,
	}
	for _, f := range fieldsOf(v.Type()) {
		s.Properties.Set(f.key, schemaOfField(f, v.FieldByIndex(f.index)))
	}
	return s
}

func schemaOfField(f field, v reflect.Value) *jsonschema.Schema {
	s := schemaOfShape(f, v)
	s.Description = f.doc()
	if f.restart() {
		s.Description += " (restart)"
	}
	return s
}

func schemaOfShape(f field, v reflect.Value) *jsonschema.Schema {
	switch shapeOf(f.typ) {
	case section:
		return schemaOfSection(v)
	case table:
		return &jsonschema.Schema{Type: "object", AdditionalProperties: schemaOfSection(withDefaults(f.typ.Elem()))}
	case free:
		return &jsonschema.Schema{Type: "object"}
	case objects:
		return &jsonschema.Schema{Type: "array", Items: schemaOfSection(withDefaults(f.typ.Elem()))}
	case list:
		return &jsonschema.Schema{Type: "array", Items: schemaOfScalar(field{typ: f.typ.Elem()})}
	}
	s := schemaOfScalar(f)
	if v.Kind() != reflect.Pointer {
		s.Default = treeValue(f, v)
	}
	return s
}

func withDefaults(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	setDefaults(v)
	return v
}

func schemaOfScalar(f field) *jsonschema.Schema {
	s := &jsonschema.Schema{}
	t := f.typ
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == durationType:
		s.OneOf = textOrNumber(durationPattern, "0")
	case t == sizeType:
		s.OneOf = textOrNumber(sizePattern, "")
	case t == prefixType, t.Kind() == reflect.String:
		s.Type = "string"
	case t.Kind() == reflect.Bool:
		s.Type = "boolean"
	case t.Kind() == reflect.Int:
		s.Type = "integer"
	case t.Kind() == reflect.Float64:
		s.Type = "number"
	}
	addChecks(s, f)
	return s
}

// textOrNumber describes text with a unit, or a whole number without one.
func textOrNumber(pattern string, maximum json.Number) []*jsonschema.Schema {
	return []*jsonschema.Schema{
		{Type: "string", Pattern: pattern},
		{Type: "integer", Minimum: "0", Maximum: maximum},
	}
}

func addChecks(s *jsonschema.Schema, f field) {
	for _, word := range f.enum() {
		s.Enum = append(s.Enum, word)
	}
	if s.Enum != nil && f.tag.Get("default") == "" {
		s.Enum = append(s.Enum, "")
	}
	switch check := f.tag.Get("check"); {
	case check == "url":
		s.Pattern = urlPattern
	case check == "address":
		s.Pattern = addressPattern
	case check == "positive" && s.OneOf == nil:
		s.ExclusiveMinimum = "0"
	case check == "nonnegative" && s.OneOf == nil:
		s.Minimum = "0"
	}
}
