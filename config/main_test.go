package config

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// golden compares text with a file in testdata, or rewrites it with -update.
func golden(t *testing.T, name string, text []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(text) {
		t.Errorf("%s differs; if that is meant, run go test ./config -update\n%s", file, text)
	}
}

// writeFile puts text into a file of a new folder and returns its name.
func writeFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubesphere.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// noEnv keeps the variables of whoever runs the tests out of them.
var noEnv = []string{}

// loadText loads one file and nothing else.
func loadText(t *testing.T, text string) (*Config, Report, error) {
	t.Helper()
	return Load(Options{File: writeFile(t, text), Env: noEnv})
}

// mustLoad fails the test when o cannot be loaded.
func mustLoad(t *testing.T, o Options) (*Config, Report) {
	t.Helper()
	if o.Env == nil {
		o.Env = noEnv
	}
	c, report, err := Load(o)
	if err != nil {
		t.Fatalf("cannot load: %v", err)
	}
	return c, report
}
