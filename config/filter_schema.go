package config

import (
	"encoding/json"
	"fmt"

	"github.com/invopop/jsonschema"
)

// FilterKind is a kind of filters as the schema describes it.
type FilterKind struct {
	Name string
	// Settings is a pointer to the struct that settings are decoded into; its jsonschema tags say more. Nil: any object.
	Settings any
}

// describeFilters has postern.filters[].settings be what each of kinds wants.
func describeFilters(root *jsonschema.Schema, kinds []FilterKind) {
	item := child(child(root, "postern"), "filters").Items
	for _, k := range kinds {
		kind := child(item, "kind")
		kind.Enum = append(kind.Enum, k.Name)
		if k.Settings == nil {
			continue
		}
		reflector := jsonschema.Reflector{Anonymous: true, DoNotReference: true, ExpandedStruct: true}
		settings := reflector.Reflect(k.Settings)
		settings.Version = ""
		is := jsonschema.NewProperties()
		is.Set("kind", &jsonschema.Schema{Const: k.Name})
		then := jsonschema.NewProperties()
		then.Set("settings", settings)
		item.AllOf = append(item.AllOf, &jsonschema.Schema{
			If: &jsonschema.Schema{Properties: is, Required: []string{"kind"}}, Then: &jsonschema.Schema{Properties: then},
		})
	}
}

func child(s *jsonschema.Schema, key string) *jsonschema.Schema {
	c, _ := s.Properties.Get(key)
	return c
}

// printSchema indents s.
func printSchema(s *jsonschema.Schema) ([]byte, error) {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot print schema: %w", err)
	}
	return append(text, '\n'), nil
}
