package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is a JSON Schema, as JSON. It may not refer to anything outside itself.
type Schema json.RawMessage

// UnmarshalYAML takes YAML or JSON.
func (s *Schema) UnmarshalYAML(text []byte) error {
	text, err := yaml.YAMLToJSON(text)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	err = json.Compact(&b, text)
	*s = b.Bytes()
	return err
}

// MarshalJSON is the schema itself.
func (s Schema) MarshalJSON() ([]byte, error) { return json.RawMessage(s).MarshalJSON() }

// UnmarshalJSON keeps the schema as it is.
func (s *Schema) UnmarshalJSON(text []byte) error {
	*s = bytes.Clone(text)
	return nil
}

// Check says what is wrong with settings, which are JSON; empty ones are {}.
func (s Schema) Check(settings []byte) error {
	schema, err := s.compile()
	if schema == nil || err != nil {
		return err
	}
	if len(settings) == 0 {
		settings = []byte("{}")
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(settings))
	if err != nil {
		return fmt.Errorf("cannot read settings: %w", err)
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("settings do not fit the module's schema: %w", plain(err))
	}
	return nil
}

// where names the schema in its own error messages.
const where = "postern:settings"

func (s Schema) compile() (*jsonschema.Schema, error) {
	if len(s) == 0 {
		return nil, nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(s))
	if err != nil {
		return nil, fmt.Errorf("manifest: cannot read the schema of settings: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(closed{}) // the library's own would open files
	if err := c.AddResource(where, doc); err != nil {
		return nil, fmt.Errorf("manifest: cannot use the schema of settings: %w", err)
	}
	schema, err := c.Compile(where)
	if err != nil {
		return nil, fmt.Errorf("manifest: cannot use the schema of settings: %w", err)
	}
	return schema, nil
}

// closed loads nothing: a module must not have the gateway open files or addresses.
type closed struct{}

var errOutside = errors.New("a schema may refer to itself alone")

// Load refuses.
func (closed) Load(string) (any, error) { return nil, errOutside }
