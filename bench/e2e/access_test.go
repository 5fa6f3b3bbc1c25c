package e2e

import (
	"context"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWhoMayDoWhat asks as the seeded users, with each way to say who one is.
func TestWhoMayDoWhat(t *testing.T) {
	c := client(t)
	for _, r := range []struct {
		request
		code int
	}{
		{request{path: "/api/v1/namespaces/demo-shop/pods", user: "admin"}, 200},
		{request{path: "/api/v1/namespaces/demo-shop/pods", user: "alice"}, 200},
		{request{path: "/api/v1/namespaces/demo-shop/pods", user: "bob"}, 200},
		{request{path: "/api/v1/namespaces/demo-staging/pods", user: "bob"}, 403},
		{request{path: "/api/v1/namespaces/demo-shop/secrets", user: "bob"}, 403},
		{request{path: "/api/v1/namespaces/demo-staging/secrets", user: "alice"}, 200},
		{request{path: "/api/v1/namespaces/edge-sensors/pods", user: "alice"}, 403},
		// A workspace's roles reach namespaces of that workspace only: not unlabelled ones, nor those that do not exist.
		{request{path: "/api/v1/namespaces/kube-system/secrets", user: "alice"}, 403},
		{request{path: "/api/v1/namespaces/not-there/pods", user: "alice"}, 403},
		{request{path: "/api/v1/pods", user: "alice"}, 403},
		{request{path: "/api/v1/namespaces/demo-shop/pods"}, 403},
		{request{path: "/kapis/version"}, 200},
		{request{path: "/healthz"}, 200},
		{request{path: "/nothing/here", user: "admin"}, 404},
		{request{path: "/kapis/none.example.io/v1/things", user: "admin"}, 404},
		{request{path: "/api/clusters/host/v1/namespaces/demo-shop/pods", user: "alice"}, 200},
		{request{path: "/api/clusters/c1/v1", user: "admin"}, 404},
		{request{path: "/api/v1/namespaces/demo-shop/pods/../secrets", user: "admin"}, 400},
		{request{path: "/api/v1/pods", header: http.Header{"Authorization": {"Bearer nonsense"}}}, 401},
		{request{path: "/healthz", header: http.Header{"Authorization": {"Bearer nonsense"}}}, 401},
		{request{path: "/api/v1/pods", user: "alice", header: http.Header{"Impersonate-User": {"admin"}}}, 403},
		{request{path: "/api/v1/pods", user: "admin", header: http.Header{"Impersonate-User": {"alice"}}}, 403},
		{request{path: "/api/v1/pods", user: "alice", header: http.Header{"X-Remote-User": {"admin"}, "X-Remote-Group": {"system:masters"}}}, 403},
	} {
		code, body, header := do(t, c, r.request)
		if code != r.code {
			t.Errorf("%s as %q %v: got %d, want %d: %.300s", r.path, r.user, r.header, code, r.code, body)
		}
		if code >= 400 {
			wantStatus(t, code, body, header)
		}
	}
}

// TestBearerToken uses an access token, as a script would.
func TestBearerToken(t *testing.T) {
	token := strings.TrimSpace(postern(t, "token", "alice", "--config", stack.Config))
	bearer := http.Header{"Authorization": {"Bearer " + token}}
	c := client(t)
	if code, body, _ := do(t, c, request{path: "/api/v1/namespaces/demo-shop/pods", header: bearer}); code != 200 {
		t.Errorf("got %d %s", code, body)
	}
	if code, _, _ := do(t, c, request{path: "/api/v1/namespaces/edge-sensors/pods", header: bearer}); code != 403 {
		t.Errorf("got %d, want 403", code)
	}
}

// TestKubernetesSeesThePerson asks kube-apiserver who it thinks is asking.
func TestKubernetesSeesThePerson(t *testing.T) {
	out := kubectl(t, "gateway-alice", "auth", "whoami", "-o", "json")
	if !strings.Contains(out, `"username": "alice"`) || !strings.Contains(out, "postern:decided") {
		t.Errorf("kube-apiserver sees %s", out)
	}
}

// TestExplain has the command line say what the gateway would decide, and why.
func TestExplain(t *testing.T) {
	out := postern(t, "explain", "get", "/api/v1/namespaces/demo-shop/pods", "--as", "bob", "--config", stack.Config)
	if !strings.Contains(out, "bob-viewer") {
		t.Errorf("the binding that allows is not named:\n%s", out)
	}
	out = postern(t, "explain", "delete", "/api/v1/namespaces/demo-shop/pods/x", "--as", "bob", "--config", stack.Config, "-o", "json")
	if !strings.Contains(out, `"refuse"`) || !strings.Contains(out, "403") {
		t.Errorf("the refusal is not explained:\n%s", out)
	}
}

// postern runs the program of the stack.
func postern(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(stack.Bin, "postern"), args...).CombinedOutput()
	if err != nil {
		t.Errorf("postern %v: %v\n%s", args, err, out)
	}
	return string(out)
}
