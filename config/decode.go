package config

import (
	"maps"
	"reflect"
	"slices"
)

// decoder fills a Config from the merged maps that readers made. Their shape
// is right already; what can fail is the text of a scalar.
type decoder struct {
	fail func(at path, message string)
}

// into sets v from raw; what raw does not have keeps its value.
func (d decoder) into(v reflect.Value, raw any, at path) {
	switch value := raw.(type) {
	case string:
		if err := setScalar(v, value); err != nil {
			d.fail(at, err.Error())
		}
	case []any:
		d.list(v, value, at)
	case map[string]any:
		switch shapeOf(v.Type()) {
		case section:
			d.section(v, value, at)
		case table:
			d.table(v, value, at)
		case free:
			v.Set(reflect.ValueOf(value))
		}
	}
}

func (d decoder) section(v reflect.Value, values map[string]any, at path) {
	for _, f := range fieldsOf(v.Type()) {
		if raw, ok := values[f.key]; ok {
			d.into(v.FieldByIndex(f.index), raw, at.with(f.key))
		}
	}
}

// list replaces the whole list; each section in it starts from its defaults.
func (d decoder) list(v reflect.Value, items []any, at path) {
	all := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		if shapeOf(v.Type()) == objects {
			setDefaults(all.Index(i))
		}
		d.into(all.Index(i), item, at.item(i))
	}
	v.Set(all)
}

func (d decoder) table(v reflect.Value, values map[string]any, at path) {
	all := reflect.MakeMapWithSize(v.Type(), len(values))
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names) // so that problems come in the same order each time
	for _, name := range names {
		element := reflect.New(v.Type().Elem()).Elem()
		setDefaults(element)
		d.into(element, values[name], at.with(name))
		all.SetMapIndex(reflect.ValueOf(name), element)
	}
	v.Set(all)
}

// inheritLimits gives each module the limits of modules.defaults, with its own
// over them: table has decoded them over the built-in defaults. It notes what
// is the module's own.
func (d decoder) inheritLimits(c *Config, raw map[string]any) {
	at := path{"postern", "modules", "perModule"}
	modules, _ := dig(raw, at...).(map[string]any)
	for name, values := range modules {
		module := c.Postern.Modules.PerModule[name]
		module.Limits = c.Postern.Modules.Defaults
		quiet := decoder{fail: func(path, string) {}} // table has reported it
		own, _ := dig(values, "limits").(map[string]any)
		quiet.into(reflect.ValueOf(&module.Limits).Elem(), own, at.with(name).with("limits"))
		module.LimitsSet = slices.Sorted(maps.Keys(own))
		module.GrantsSet = dig(values, "grants") != nil
		c.Postern.Modules.PerModule[name] = module
	}
}

// dig looks up words in nested maps; nil if there is nothing.
func dig(raw any, words ...string) any {
	for _, word := range words {
		values, _ := raw.(map[string]any)
		raw = values[word]
	}
	return raw
}
