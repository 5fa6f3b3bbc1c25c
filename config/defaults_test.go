package config

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTags: each key has a name, a documentation and only words in its tags
// that mean something, everywhere, also inside lists and tables.
func TestTags(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-zA-Z0-9]*$`) // no underscore: variables rely on it
	known := []string{"json", "default", "doc", "enum", "check", "secret", "restart"}
	tag := regexp.MustCompile(`(\w+):"`)
	var walk func(typ reflect.Type, at string)
	walk = func(typ reflect.Type, at string) {
		seen := map[string]bool{}
		for _, f := range fieldsOf(typ) {
			key := at + "." + f.key
			if !name.MatchString(f.key) || f.doc() == "" || seen[strings.ToLower(f.key)] {
				t.Errorf("%s: name, doc %q or a second of that name", key, f.doc())
			}
			seen[strings.ToLower(f.key)] = true
			for _, word := range tag.FindAllStringSubmatch(string(f.tag), -1) {
				if !slices.Contains(known, word[1]) {
					t.Errorf("%s: unknown tag %q", key, word[1])
				}
			}
			if check := f.tag.Get("check"); check != "" && checks[check] == nil {
				t.Errorf("%s: unknown check %q", key, check)
			}
			if fallback := f.tag.Get("default"); f.enum() != nil && fallback != "" && !slices.Contains(f.enum(), fallback) {
				t.Errorf("%s: the default %q is none of %v", key, fallback, f.enum())
			}
			switch shapeOf(f.typ) {
			case section:
				walk(f.typ, key)
			case table, objects:
				walk(f.typ.Elem(), key)
			}
		}
	}
	walk(reflect.TypeFor[Config](), "")
}

// TestSections: KubeSphere's 24 and ours.
func TestSections(t *testing.T) {
	want := strings.Fields("kubernetes authentication authorization multicluster cache monitoring notification kubeedge edgeruntime gateway network gpu " +
		"logging events auditing alerting metering openpitrix s3 devops sonarqube servicemesh ldap terminal postern")
	if have := keysOf(reflect.TypeFor[Config]()); !slices.Equal(have, want) {
		t.Errorf("sections %v", have)
	}
}

// TestDefaultIsFresh: who changes one Default changes no other.
func TestDefaultIsFresh(t *testing.T) {
	c := Default()
	c.Terminal.Image = "changed"
	c.Cache.Options = map[string]any{"x": 1}
	if Default().Terminal.Image != "alpine:3.15" || Default().Cache.Options != nil {
		t.Error("Default shares memory")
	}
}

func TestHTTPBackends(t *testing.T) {
	c, _ := mustLoad(t, Options{File: "examples/modules.yaml"})
	backends := c.HTTPBackends()
	if names := sortedNames(backends); !slices.Equal(names, []string{"greetings", "kubeedge"}) || backends["kubeedge"].URL != c.KubeEdge.Endpoint || backends["kubeedge"].Timeout <= 0 {
		t.Errorf("backends %+v", backends)
	}
	backends["x"] = Backend{}
	if len(c.Postern.Backends) != 1 {
		t.Error("HTTPBackends gave away the configuration's own map")
	}
}
