package e2e

import (
	"os"
	"testing"

	"github.com/goccy/go-yaml"
)

// reconfigure lays a piece of configuration over the gateway's and waits until it serves; the test's end takes it back.
func reconfigure(t *testing.T, piece string) {
	t.Helper()
	good, err := os.ReadFile(stack.Config)
	if err != nil {
		t.Fatal(err)
	}
	var base, over map[string]any
	for text, into := range map[string]*map[string]any{string(good): &base, piece: &over} {
		if err := yaml.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	merged, err := yaml.Marshal(merge(base, over))
	if err != nil {
		t.Fatal(err)
	}
	reload(t, merged)
	t.Cleanup(func() { reload(t, good) })
}

// reload puts a configuration in place and waits until it serves.
func reload(t *testing.T, text []byte) {
	t.Helper()
	const loaded = "postern_config_last_reload_success_timestamp_seconds"
	before := metric(t, loaded)
	replace(t, stack.Config, text)
	until(t, "the configuration to be loaded", func() bool { return metric(t, loaded) > before })
}

// merge puts over's values into base; maps are merged, anything else is replaced.
func merge(base, over map[string]any) map[string]any {
	for key, value := range over {
		inner, ok1 := base[key].(map[string]any)
		outer, ok2 := value.(map[string]any)
		if ok1 && ok2 {
			value = merge(inner, outer)
		}
		base[key] = value
	}
	return base
}
