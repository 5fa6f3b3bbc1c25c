package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runConfig runs `postern config` in this process.
func runConfig(args ...string) (output string, code int) {
	command := newConfigCommand()
	command.SilenceErrors, command.SilenceUsage = true, true
	var b bytes.Buffer
	command.SetOut(&b)
	command.SetErr(&b)
	command.SetArgs(args)
	err := command.Execute()
	return b.String(), exitCode(err)
}

const article = "../../config/testdata/article.yaml"

func TestConfigCommands(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("authentication:\n  maximumClockSkew: abc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args string
		code int
		want string
	}{
		"good":           {"check ../../config/examples/minimal.yaml", 0, "0 errors, 0 warnings\n"},
		"--config":       {"check --config ../../config/examples/minimal.yaml", 0, "0 errors, 0 warnings\n"},
		"warnings":       {"check " + article, 0, ":4:3: kubernetes.$qps: unknown key, ignored; the nearest known key is kubernetes.qps\n    4 |   $qps: 1e+06\n      |   ^\n"},
		"strict":         {"check --strict " + article, 1, "error: " + article + ":4:3: kubernetes.$qps: unknown key;"},
		"bad":            {"check " + bad, 1, "bad.yaml:2:21: authentication.maximumClockSkew: cannot parse \"abc\" as duration"},
		"bad flag value": {"check --set terminal.timeout=soon " + article, 1, "error: --set: terminal.timeout: cannot parse"},
		"missing":        {"check no.yaml", 1, "error: cannot read configuration: open no.yaml:"},
		"two files":      {"check a b", 2, ""},
		"unknown flag":   {"check --colour", 2, ""},
		"output":         {"check -o xml " + article, 2, ""},
		"--set":          {"check --set terminal.timeout " + article, 2, ""},
		"print":          {"print --config " + article, 0, "  jwtSecret: \"******\"\n"},
		"print over":     {"print --config " + article + " --insecure-port 1234 --set terminal.image=x:y", 0, "\n  image: x:y\n"},
		"print bad":      {"print --config " + bad, 1, ""},
		"print output":   {"print -o toml", 2, ""},
		"print argument": {"print x", 2, ""},
		"defaults":       {"print --defaults --config no.yaml", 0, "  # this cluster's role [host, member, none]\n  clusterRole: \"\"\n"},
		"schema":         {"schema", 0, `"$schema": "https://json-schema.org/draft/2020-12/schema"`},
		"help":           {"", 0, "Available Commands:"},
	} {
		t.Run(name, func(t *testing.T) {
			output, code := runConfig(strings.Fields(test.args)...)
			if code != test.code || !strings.Contains(output, test.want) {
				t.Errorf("exit code %d, want %d; no %q in:\n%s", code, test.code, test.want, output)
			}
		})
	}
}

func TestConfigJSON(t *testing.T) {
	output, code := runConfig("check", "--strict", "-o", "json", article)
	var result checkResult
	if err := json.Unmarshal([]byte(output), &result); err != nil {
		t.Fatalf("%v:\n%s", err, output)
	}
	if code != exitFailure || result.OK || result.File != article || len(result.Errors) != 2 {
		t.Errorf("exit code %d, result %+v", code, result)
	}
	if first := result.Errors[0]; first.Line != 4 || first.Column != 3 || first.Key != "kubernetes.$qps" || first.Nearest != "kubernetes.qps" {
		t.Errorf("first error %+v", first)
	}

	output, code = runConfig("print", "--config", article, "-o", "json")
	var printed struct {
		Authentication struct{ MaximumClockSkew, JWTSecret string }
		Postern        struct{ Limits struct{ HeaderBytes string } }
	}
	if err := json.Unmarshal([]byte(output), &printed); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v:\n%s", code, err, output)
	}
	if printed.Authentication.MaximumClockSkew != "10s" || printed.Authentication.JWTSecret != "******" || printed.Postern.Limits.HeaderBytes != "16KiB" {
		t.Errorf("printed %+v", printed)
	}
}
