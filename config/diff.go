package config

import "reflect"

// RestartRequired lists the keys that differ from old and take effect at the
// next start only, in the order of kubesphere.yaml.
func (c *Config) RestartRequired(old *Config) []string {
	return changed(reflect.ValueOf(c).Elem(), reflect.ValueOf(old).Elem(), nil, field.restart)
}

// Changed lists all keys whose values differ from old. Lists and maps count as
// one key.
func (c *Config) Changed(old *Config) []string {
	return changed(reflect.ValueOf(c).Elem(), reflect.ValueOf(old).Elem(), nil, func(field) bool { return true })
}

func changed(v, old reflect.Value, at path, counts func(field) bool) []string {
	var keys []string
	for _, f := range fieldsOf(v.Type()) {
		key, a, b := at.with(f.key), v.FieldByIndex(f.index), old.FieldByIndex(f.index)
		switch {
		case shapeOf(f.typ) == section:
			keys = append(keys, changed(a, b, key, counts)...)
		case counts(f) && !reflect.DeepEqual(a.Interface(), b.Interface()):
			keys = append(keys, key.String())
		}
	}
	return keys
}
