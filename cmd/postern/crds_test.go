package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCRDsPrintsOneStream(t *testing.T) {
	var out bytes.Buffer
	command := newCRDsCommand()
	command.SetOut(&out)
	command.SetArgs(nil)
	if err := command.Execute(); err != nil {
		t.Fatal(err)
	}
	documents := strings.Split(out.String(), "---\n")[1:]
	if len(documents) < 12 {
		t.Errorf("%d documents", len(documents))
	}
	for _, d := range documents {
		if !strings.HasPrefix(d, "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n") || !strings.HasSuffix(d, "\n") {
			t.Errorf("not a definition: %.80q", d)
		}
	}
}

func TestCRDsInstallUsesTheKubeconfig(t *testing.T) {
	applied := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			applied++
		}
		_, _ = io.WriteString(w, `{"status":{"conditions":[{"type":"Established","status":"True"}]}}`)
	}))
	defer s.Close()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: c}}]\n" +
		"users: [{name: c, user: {}}]\nclusters: [{name: c, cluster: {server: \"" + s.URL + "\"}}]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		command := newCRDsCommand()
		command.SilenceErrors, command.SilenceUsage = true, true
		command.SetOut(&out)
		command.SetArgs(append([]string{"install"}, args...))
		err := command.Execute()
		return out.String(), err
	}
	for name, prepare := range map[string]func() []string{
		"flag":     func() []string { return []string{"--kubeconfig", file} },
		"variable": func() []string { t.Setenv("KUBECONFIG", file); return nil },
	} {
		applied = 0
		out, err := run(prepare()...)
		if err != nil || applied < 12 || !strings.Contains(out, "customresourcedefinition.apiextensions.k8s.io/users.iam.kubesphere.io serverside-applied\n") {
			t.Errorf("%s: %v, %d applied, %s", name, err, applied, out)
		}
	}
	if _, err := run("--kubeconfig", "/does/not/exist"); err == nil || exitCode(err) != exitFailure {
		t.Errorf("missing kubeconfig: %v", err)
	}
}
