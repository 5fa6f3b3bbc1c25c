package kubeapi

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// api is an API server that knows namespaces and config maps, and keeps what it was asked.
type api struct {
	requests []string
	bodies   []string
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer secret" {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"kind":"Status","message":"who are you?"}`)
		return
	}
	switch {
	case r.URL.Path == "/api/v1":
		_, _ = io.WriteString(w, `{"resources":[{"name":"namespaces","kind":"Namespace"},{"name":"namespaces/status","kind":"Namespace"},
			{"name":"configmaps","kind":"ConfigMap","namespaced":true}]}`)
	case strings.HasSuffix(r.URL.Path, "/missing"):
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"kind":"Status","message":"no such thing"}`)
	default:
		body, _ := io.ReadAll(r.Body)
		a.requests = append(a.requests, r.Method+" "+r.URL.Path+" "+r.Header.Get("Content-Type"))
		a.bodies = append(a.bodies, string(body))
		_, _ = io.WriteString(w, `{}`)
	}
}

// connect starts an API server and a client of it, by way of a kubeconfig file with user.
func connect(t *testing.T, user User) (*api, *Client, error) {
	t.Helper()
	a := &api{}
	server := httptest.NewTLSServer(a)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.crt")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	if err := os.WriteFile(ca, pem.EncodeToMemory(block), 0o644); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "kubeconfig")
	if err := WriteKubeconfig(path, "test", Cluster{Server: server.URL, CertificateAuthority: ca}, user); err != nil {
		t.Fatal(err)
	}
	client, err := New(t.Context(), path)
	if err == nil {
		t.Cleanup(client.Close)
	}
	return a, client, err
}

func TestApply(t *testing.T) {
	a, client, err := connect(t, User{Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	const stream = `# only a comment
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {a: b}
`
	if err := client.Apply(t.Context(), []byte(stream)); err != nil {
		t.Fatal(err)
	}
	want := "PATCH /api/v1/namespaces/shop application/apply-patch+yaml\nPATCH /api/v1/namespaces/shop/configmaps/settings application/apply-patch+yaml"
	if got := strings.Join(a.requests, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if want := `{"apiVersion":"v1","data":{"a":"b"},"kind":"ConfigMap","metadata":{"name":"settings","namespace":"shop"}}`; a.bodies[1] != want {
		t.Errorf("got %s, want %s", a.bodies[1], want)
	}
}

func TestRefusals(t *testing.T) {
	_, client, err := connect(t, User{Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	err = client.Get(t.Context(), "/api/v1/namespaces/missing", &struct{}{})
	if !IsNotFound(err) || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("got %v, want the server's 404", err)
	}
	err = client.Apply(t.Context(), []byte("{apiVersion: v1, kind: Unicorn, metadata: {name: x}}"))
	if err == nil || !strings.Contains(err.Error(), "Unicorn") {
		t.Errorf("got %v, want a word on the unknown kind", err)
	}
	_, stranger, err := connect(t, User{Token: "guess"})
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.Get(t.Context(), "/api/v1", &struct{}{}); err == nil || !strings.Contains(err.Error(), "who are you?") {
		t.Errorf("got %v, want the server's message", err)
	}
}

func TestCredentialPlugin(t *testing.T) {
	plugin := &Exec{
		APIVersion: "client.authentication.k8s.io/v1", Command: "/bin/sh",
		Args: []string{"-c", `echo "{\"status\":{\"token\":\"$TOKEN\"}}"`}, Env: []EnvVar{{Name: "TOKEN", Value: "secret"}},
	}
	_, client, err := connect(t, User{Exec: plugin})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Get(t.Context(), "/api/v1", &struct{}{}); err != nil {
		t.Error(err)
	}
	if _, _, err := connect(t, User{Exec: &Exec{Command: "/bin/false"}}); err == nil {
		t.Error("a plug-in that fails says nothing")
	}
}
