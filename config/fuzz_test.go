package config

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzLoad feeds bytes to everything between a file and a configuration. What
// loads must print and load again as the same.
func FuzzLoad(f *testing.F) {
	seeds, err := filepath.Glob(filepath.Join("examples", "*.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(seeds, filepath.Join("testdata", "article.yaml"), filepath.Join("testdata", "defaults.golden.yaml")) {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range []string{
		"", "{}", "a: &a [*a]", "cache: {options: &a {x: *a}}", "<<: {cache: {}}", "? a\n: b", "- - - -", "!!binary x", "cache: !t {type: redis}",
		"\ufeffcache:\r\n  type: redis", "---\n...\n---\n", "%YAML 1.2\n---\n", "cache: {options: {a.b: {c: 1e9, d: [~, .nan]}}}", "? {a: b}\n: c",
		"postern: {trustedProxies: ['fe80::1%eth0', 10.0.0.1]}", "gpu: {kinds: [null, {default: y}]}", "postern: {modules: {perModule: {m: ~}}}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, first, ok := fuzzLoad(data)
		if len(first.Warnings) > maxProblems || len(first.errors) > maxProblems {
			t.Fatalf("%d warnings, %d errors", len(first.Warnings), len(first.errors))
		}
		if !ok {
			return
		}
		printed := c.YAML(false)
		again, report, ok := fuzzLoad(printed)
		if !ok {
			t.Fatalf("printed configuration is refused: %v\n%s", report.errors, printed)
		}
		third := again.YAML(false)
		once, _, _ := fuzzLoad(third)
		if diff := cmp.Diff(again, once, sameEmpty); diff != "" {
			t.Fatalf("- printed, + read:\n%s", diff)
		}
	})
}

// fuzzLoad is Load without the file.
func fuzzLoad(data []byte) (*Config, Report, bool) {
	l := newLoader(Options{})
	l.addText("kubesphere.yaml", data)
	c := l.build()
	return c, *l.report, len(l.report.errors) == 0
}

// FuzzVariable feeds names and values of variables and of --set.
func FuzzVariable(f *testing.F) {
	for _, at := range leafPaths() {
		f.Add(variableName(at), at.String(), "[1, {x: y}]")
	}
	f.Add("KUBESPHERE_CACHE_OPTIONS_", `postern.modules.perModule.a\.b.settings.x`, `{"a": [1.5, null]}`)
	f.Add("KUBESPHERE_POSTERN_BACKENDS__URL", "postern.backends.", "http://u:p@h")
	f.Fuzz(func(t *testing.T, name, at, value string) {
		l := newLoader(Options{})
		l.addVariables([]string{name + "=" + value, variablePrefix + name + "=" + value})
		l.addOverrides([]Override{{Path: at, Value: value, Source: "--set"}, {Path: at, Value: value, Part: Port}, {Path: at, Value: value, Part: Host}})
		l.build()
	})
}

// TestPathText: every path reads back from its text.
func TestPathText(t *testing.T) {
	for _, p := range []path{{"a"}, {"a", "b"}, {"a.b", "c"}, {"", ""}, {"a..", ".b"}} {
		if have := parsePath(p.String()); !reflect.DeepEqual(have, p) {
			t.Errorf("%q reads back as %q", p, have)
		}
	}
}
