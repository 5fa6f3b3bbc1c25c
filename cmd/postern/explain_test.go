package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// explainCode runs `postern explain args...` and returns its exit code.
func explainCode(args ...string) int {
	command := explainCommand()
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetOut(io.Discard)
	command.SetArgs(args)
	return exitCode(command.Execute())
}

// explained runs it with -o json.
func explained(t *testing.T, args ...string) (info, all map[string]any) {
	t.Helper()
	command := explainCommand()
	var out bytes.Buffer
	command.SetOut(&out)
	command.SetArgs(append(args, "-o", "json"))
	if err := command.Execute(); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	return all["requestInfo"].(map[string]any), all
}

func TestExplainJSON(t *testing.T) {
	info, all := explained(t, "get", "/kapis/clusters/c/a.io/v1/workspaces/w/namespaces/n/pods/p/log?watch=1")
	want := map[string]any{
		"verb": "get", "apiPrefix": "kapis", "apiGroup": "a.io", "apiVersion": "v1", "cluster": "c", "workspace": "w", "namespace": "n",
		"devops": "", "resource": "pods", "subresource": "log", "name": "p", "scope": "Namespace", "isResourceRequest": true,
		"isKubernetesRequest": false, "path": "/kapis/clusters/c/a.io/v1/workspaces/w/namespaces/n/pods/p/log",
	}
	for key, value := range want {
		if info[key] != value {
			t.Errorf("%s: %v, want %v", key, info[key], value)
		}
	}
	stages := all["stages"].([]any)
	second, last := stages[1].(map[string]any), stages[len(stages)-1].(map[string]any)
	if second["stage"] != "requestinfo" || second["verdict"] != "pass" || all["verdict"] != last["verdict"] {
		t.Errorf("%v", all)
	}
	// Every key is there also when there is nothing to say.
	empty, all := explained(t, "GET", "/api/v1/namespaces//pods")
	for key := range want {
		if _, ok := empty[key]; !ok {
			t.Errorf("no %s", key)
		}
	}
	if all["verdict"] != "refuse" || all["code"] != 400.0 || len(all["stages"].([]any)) != 2 {
		t.Errorf("%v", all)
	}
}

func TestExplainScopes(t *testing.T) {
	for path, want := range map[string]string{
		"/kapis/iam.kubesphere.io/v1alpha2/users": "Global",
		"/api/v1/nodes":                       "Cluster",
		"/kapis/a.io/v1/workspaces/w/members": "Workspace",
		"/api/v1/namespaces/n/pods":           "Namespace",
		"/kapis/a.io/v1/devops/d/pipelines":   "DevOps",
	} {
		if info, _ := explained(t, "GET", path); info["scope"] != want {
			t.Errorf("%s: scope %v, want %s", path, info["scope"], want)
		}
	}
}

func TestExplainText(t *testing.T) {
	command := explainCommand()
	var out bytes.Buffer
	command.SetOut(&out)
	command.SetArgs([]string{"delete", "/apis/apps/v1/namespaces/n/deployments"})
	if err := command.Execute(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`verb +deletecollection`, `apiGroup +apps`, `isKubernetesRequest +true`, `requestinfo +pass +deletecollection deployments.apps`, `verdict +\w+ +\d{3}`} {
		if !regexp.MustCompile(want).Match(out.Bytes()) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if regexp.MustCompile(`(?m)^(workspace|devops) `).Match(out.Bytes()) {
		t.Errorf("empty fields are printed:\n%s", out.String())
	}
}

func TestExplainExitCodes(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "kubesphere.yaml")
	if err := os.WriteFile(broken, []byte("a: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		code int
		args []string
	}{
		{0, []string{"GET", "/healthz"}},
		{0, []string{"PropFind", "/../x"}},
		{exitUsage, nil},
		{exitUsage, []string{"GET"}},
		{exitUsage, []string{"GET", "/a", "/b"}},
		{exitUsage, []string{"GET", "api"}},
		{exitUsage, []string{"GET", ""}},
		{exitUsage, []string{"GET", "http://h/api"}},
		{exitUsage, []string{"", "/api"}},
		{exitUsage, []string{"G T", "/api"}},
		{exitUsage, []string{"GET", "/api", "-o", "yaml"}},
		{exitUsage, []string{"GET", "/api", "--nothing"}},
		{exitUsage, []string{"GET", "/api", "--set", "x"}},
		{exitFailure, []string{"GET", "/api", "--config", broken}},
	} {
		if code := explainCode(c.args...); code != c.code {
			t.Errorf("%q: exit code %d, want %d", c.args, code, c.code)
		}
	}
}
