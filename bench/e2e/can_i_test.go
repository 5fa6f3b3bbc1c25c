package e2e

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestCanI has kubectl ask what the seeded users may do: the answer is what would be decided about the request itself,
// and not kube-apiserver's, which sees everybody with the group that may do everything.
func TestCanI(t *testing.T) {
	for _, c := range []struct {
		kubeconfig, args, want string
	}{
		{"gateway-alice", "create pods -n demo-shop", "yes"},
		{"gateway-alice", "* * -n demo-shop", "yes"},
		{"gateway-alice", "create pods -n edge-sensors", "no"},
		{"gateway-alice", "list secrets -n kube-system", "no"},
		{"gateway-alice", "* * -n default", "no"},
		{"gateway-alice", "get /api", "yes"},
		{"gateway-alice", "get /metrics", "no"},
		{"gateway-bob", "get pods -n demo-shop", "yes"},
		{"gateway-bob", "get pods --subresource=log -n demo-shop", "yes"},
		{"gateway-bob", "delete pods -n demo-shop", "no"},
		{"gateway-bob", "create pods --subresource=exec -n demo-shop", "no"},
		{"gateway-bob", "get pods -n demo-staging", "no"},
		{"gateway", "* *", "yes"},
		{"gateway", "delete pods -n kube-system", "yes"},
		// As somebody else: the rights are those of the one asked for. Who has no role may ask, too.
		{"gateway", "delete pods -n demo-shop --as bob", "no"},
		{"gateway", "get pods -n demo-shop --as bob", "yes"},
		{"gateway", "get pods -n demo-shop --as somebody", "no"},
	} {
		out, err := tryKubectl(t, c.kubeconfig, nil, append([]string{"auth", "can-i"}, strings.Fields(c.args)...)...)
		answer, _, _ := strings.Cut(strings.TrimSpace(out), " - ") // behind that is the reason
		if answer != c.want || (err == nil) != (c.want == "yes") {
			t.Errorf("%s: can-i %s: %q (%v), want %s", c.kubeconfig, c.args, out, err, c.want)
		}
	}
}

// TestCanIList lists rights: bob's few, and for the administrator the list that Kubernetes has for its own.
func TestCanIList(t *testing.T) {
	out := kubectl(t, "gateway-bob", "auth", "can-i", "--list", "--no-headers", "-n", "demo-shop")
	if !regexp.MustCompile(`(?m)^pods +\[\] +\[\] +\[get list watch\]$`).MatchString(out) || strings.Contains(out, "[*]") || strings.Contains(out, "secrets") {
		t.Errorf("bob in demo-shop:\n%s", out)
	}
	if out = kubectl(t, "gateway-bob", "auth", "can-i", "--list", "--no-headers", "-n", "edge-sensors"); strings.Contains(out, "pods") {
		t.Errorf("bob in edge-sensors:\n%s", out)
	}
	list := []string{"auth", "can-i", "--list", "-n", "demo-shop"}
	if ours, theirs := kubectl(t, "gateway", list...), kubectl(t, "admin", list...); ours != theirs {
		t.Errorf("the administrator's rights differ\n--- through the gateway\n%s\n--- straight to kube-apiserver\n%s", ours, theirs)
	}
}

// TestSelfReviewsByHand asks without kubectl: nobody in particular may not ask, as in Kubernetes, and what is no review
// is refused by a Status.
func TestSelfReviewsByHand(t *testing.T) {
	c := client(t)
	const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
	const pods = `{"spec":{"resourceAttributes":{"verb":"get","resource":"pods","namespace":"demo-shop"}}}`
	for _, r := range []struct {
		user, contentType, body string
		code                    int
		says                    string
	}{
		{"bob", "application/json", pods, 201, `bob-viewer`},
		{"", "application/json", pods, 403, `system:anonymous`},
		{"bob", "application/json", `{`, 400, `"BadRequest"`},
		{"bob", "application/json", `{}`, 422, `"Invalid"`},
		{"bob", "application/cbor", "\xd9\xd9\xf7\xa0", 415, `"UnsupportedMediaType"`},
		{"bob", "application/json", strings.Repeat(" ", 256<<10), 413, `"RequestEntityTooLarge"`},
	} {
		code, body, header := do(t, c, request{method: "POST", path: path, user: r.user, header: http.Header{"Content-Type": {r.contentType}}, body: r.body})
		if code != r.code || !strings.Contains(body, r.says) {
			t.Errorf("%s as %q: %d %.300s, want %d with %s", r.contentType, r.user, code, body, r.code, r.says)
		}
		if code >= 400 {
			wantStatus(t, code, body, header)
		}
	}
}
