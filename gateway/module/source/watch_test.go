package source

import "testing"

// TestIgnored: what builds and editors leave behind is no change of a module.
func TestIgnored(t *testing.T) {
	for path, want := range map[string]bool{
		"m/m.wasm": true, "m/.main.c.swp": true, "m/main.c~": true, "m/node_modules": true, "m/target": true, "m/.git": true,
		"m/main.c": false, "m/module.yaml": false, "m/tests/a.http": false, "m/targets.go": false,
	} {
		if ignored(path) != want {
			t.Errorf("%s: ignored is %v", path, !want)
		}
	}
}
