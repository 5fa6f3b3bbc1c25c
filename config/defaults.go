package config

import (
	"fmt"
	"reflect"
)

// Default returns what holds when nothing is configured. The caller owns it.
func Default() *Config {
	c := new(Config)
	setDefaults(reflect.ValueOf(c).Elem())
	c.Logging.IndexPrefix = "fluentbit"
	c.Events.IndexPrefix = "ks-logstash-events"
	c.Auditing.IndexPrefix = "ks-logstash-auditing"
	return c
}

// setDefaults fills a section, and the sections in it, from the default tags.
// A tag that does not parse is a mistake in this package, found by every test.
func setDefaults(v reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		target := v.FieldByIndex(f.index)
		if shapeOf(f.typ) == section {
			setDefaults(target)
			continue
		}
		text, ok := f.tag.Lookup("default")
		if !ok {
			continue
		}
		if err := setScalar(target, text); err != nil {
			panic(fmt.Sprintf("config: default of %s.%s: %v", v.Type(), f.key, err))
		}
	}
}
