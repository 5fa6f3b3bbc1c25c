package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "schema.golden.json", text)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("kubesphere.schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("kubesphere.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// againstSchema validates YAML text as an editor does.
func againstSchema(t *testing.T, schema *jsonschema.Schema, text []byte) error {
	t.Helper()
	var values any
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

func TestSchema(t *testing.T) {
	schema := compiledSchema(t)
	if err := againstSchema(t, schema, Default().YAML(true)); err != nil {
		t.Errorf("the defaults: %v", err)
	}

	article, err := os.ReadFile(filepath.Join("testdata", "article.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	err = againstSchema(t, schema, article)
	if err == nil || !strings.Contains(err.Error(), "'$qps'") || !strings.Contains(err.Error(), "'enableGPUMonitoring'") {
		t.Errorf("the article's file: %v", err)
	}
	known := strings.NewReplacer("  $qps: 1e+06\n", "", "  enableGPUMonitoring: false\n", "").Replace(string(article))
	if err := againstSchema(t, schema, []byte(known)); err != nil {
		t.Errorf("the article's file without its two unknown keys: %v", err)
	}
}

func TestSchemaRefuses(t *testing.T) {
	schema := compiledSchema(t)
	for _, text := range []string{
		"monitorin: {}", "monitoring: {endpoint: 'ftp://x'}", "authorization: {mode: rbac}", "authorization: {mode: ''}",
		"authentication: {maximumClockSkew: 10}", "authentication: {maximumClockSkew: ten}", "kubernetes: {burst: 1.5}",
		"kubernetes: {qps: -1}", "terminal: {timeout: 0}", "postern: {limits: {headerBytes: 8MX}}",
		"postern: {backends: {b: {ur: x}}}", "gpu: {kinds: [{x: 1}]}", "postern: {listen: {address: x}}",
	} {
		if err := againstSchema(t, schema, []byte(text)); err == nil {
			t.Errorf("accepted: %s", text)
		}
	}
	for _, text := range []string{
		"authentication: {maximumClockSkew: 0}", "authentication: {maximumClockSkew: 1h2m3.5s}", "kubernetes: {qps: 1e+06}",
		"postern: {limits: {headerBytes: 65536, moduleBodyBytes: 2Mi}}", "cache: {options: {any: [1, {thing: x}]}}",
		"multicluster: {clusterRole: ''}", "postern: {modules: {perModule: {a.b: {settings: {x: 1}}}}}",
	} {
		if err := againstSchema(t, schema, []byte(text)); err != nil {
			t.Errorf("refused: %s: %v", text, err)
		}
	}
}

// TestExamples: each example is what it claims, a file that loads without a
// word, and that an editor finds nothing in.
func TestExamples(t *testing.T) {
	schema := compiledSchema(t)
	files, err := filepath.Glob(filepath.Join("examples", "*.yaml"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d examples, error %v", len(files), err)
	}
	for _, file := range files {
		_, report, err := Load(Options{File: file, Env: noEnv, Strict: true})
		if err != nil || len(report.Warnings) > 0 {
			t.Errorf("%s: error %v, warnings %v", file, err, report.Warnings)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := againstSchema(t, schema, text); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
