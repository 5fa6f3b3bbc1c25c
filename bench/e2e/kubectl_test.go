package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// session is one way to the cluster, with a namespace of its own: straight to kube-apiserver, or through the gateway.
type session struct {
	t         *testing.T
	config    string // name of the kubeconfig
	namespace string
	script    *bytes.Buffer // what it saw, normalised
}

// TestKubectlSession runs the same session through the gateway and straight to kube-apiserver: the same output.
func TestKubectlSession(t *testing.T) {
	direct, through := new(bytes.Buffer), new(bytes.Buffer)
	for _, s := range []*session{
		{t, "admin", "session-a", direct},
		{t, "gateway", "session-b", through},
	} {
		s.run()
	}
	if strings.TrimSpace(direct.String()) != strings.TrimSpace(through.String()) {
		t.Errorf("the sessions differ\n--- straight to kube-apiserver\n%s\n--- through the gateway\n%s", direct, through)
	}
	if n := strings.Count(through.String(), "\n$ "); n < 40 {
		t.Errorf("the session had %d commands only", n)
	}
}

func (s *session) run() {
	s.do("create", "namespace", s.namespace)
	defer s.do("delete", "namespace", s.namespace)
	s.until("the default service account", func() bool {
		_, err := tryKubectl(s.t, s.config, nil, "-n", s.namespace, "get", "serviceaccount", "default")
		return err == nil
	})
	s.discovery()
	s.objects()
	s.applies()
	s.pod()
	s.deploys()
}

// do runs a command in the namespace and notes what it printed.
func (s *session) do(args ...string) string { return s.with(nil, args...) }

func (s *session) with(in io.Reader, args ...string) string {
	s.t.Helper()
	out, err := tryKubectl(s.t, s.config, in, append([]string{"-n", s.namespace}, args...)...)
	s.note(args, out, err)
	return out
}

// note writes a command and its normalised output to the script.
func (s *session) note(args []string, out string, err error) {
	fmt.Fprintf(s.script, "\n$ kubectl %s\n%s", s.same(strings.Join(args, " ")), s.same(out))
	if err != nil {
		fmt.Fprintf(s.script, "[%v]\n", err)
	}
}

// varying is what differs between two sessions by its nature.
var varying = []struct {
	pattern *regexp.Regexp
	as      string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`(resourceVersion"?: ?)"?\d+"?`), "${1}RV"},
	{regexp.MustCompile(`(web-)[0-9a-f]{6,10}(-[a-z0-9]{5})?\b`), "${1}HASH"},
	{regexp.MustCompile(`127\.10\.\d+\.\d+|10\.\d+\.\d+\.\d+`), "IP"},
	{regexp.MustCompile(`\b\d+(\.\d+)?(ms|s|m)\b`), "AGE"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDRESS"},
	{regexp.MustCompile(`(?m)^Waiting for deployment .*\n`), ""}, // as many as it happens to see
	{regexp.MustCompile(`(LIVE|MERGED)-\d+`), "$1"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+0000`), "TIME"},
	{regexp.MustCompile(`(?m) +$`), ""},
	{regexp.MustCompile(` {2,}`), "  "},
}

func (s *session) same(text string) string {
	text = strings.ReplaceAll(text, s.namespace, "NAMESPACE")
	for _, v := range varying {
		text = v.pattern.ReplaceAllString(text, v.as)
	}
	return text
}

// until waits for a condition.
func (s *session) until(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%s: %s did not come within a minute", s.config, what)
		}
	}
}

// discovery asks what there is and what may be done.
func (s *session) discovery() {
	s.do("version")
	s.do("api-versions")
	s.do("api-resources", "--sort-by=name")
	s.do("explain", "pod.spec.containers.image")
	s.do("explain", "users.iam.kubesphere.io", "--recursive")
	s.do("auth", "can-i", "create", "pods")
	s.do("get", "nodes", "-o", "name")
	s.do("get", "nodes", "--selector", "node-role.kubernetes.io/edge", "-o", "name")
	s.do("get", "--raw", "/api/v1/namespaces/"+s.namespace)
	s.do("get", "--raw", "/readyz")
	s.do("cluster-info")
}

// objects creates, reads, changes and deletes one object in every way.
func (s *session) objects() {
	s.do("create", "configmap", "one", "--from-literal=a=1")
	s.do("create", "configmap", "one", "--from-literal=a=1") // AlreadyExists
	s.do("get", "configmap", "one", "-o", "jsonpath={.data}")
	s.do("get", "configmap", "one", "-o", "yaml")
	s.do("get", "configmap", "missing")
	s.do("label", "configmap", "one", "colour=blue")
	s.do("annotate", "configmap", "one", "note=yes")
	s.do("patch", "configmap", "one", "--type=merge", `-p={"data":{"b":"2"}}`)
	s.do("patch", "configmap", "one", "--type=json", `-p=[{"op":"add","path":"/data/c","value":"3"}]`)
	s.do("patch", "configmap", "one", "--type=strategic", `-p={"data":{"d":"4"}}`)
	s.do("get", "configmaps", "--selector", "colour=blue", "-o", "custom-columns=NAME:.metadata.name,DATA:.data")
	s.do("get", "configmaps", "--field-selector", "metadata.name=one", "-o", "name")
	s.do("get", "configmap", "--chunk-size=1", "-o", "name")
	s.watch()
	s.do("delete", "configmap", "one")
	s.do("delete", "configmap", "one") // NotFound
	s.do("create", "serviceaccount", "robot")
	if token := s.token(); strings.Count(token, ".") != 2 {
		s.t.Errorf("%s: no service account token: %q", s.config, token)
	}
	s.do("create", "role", "reader", "--verb=get", "--resource=configmaps")
	s.do("create", "rolebinding", "reader", "--role=reader", "--serviceaccount="+s.namespace+":robot")
}

func (s *session) token() string {
	out, err := tryKubectl(s.t, s.config, nil, "-n", s.namespace, "create", "token", "robot")
	if err != nil {
		s.t.Errorf("%s: create token: %v", s.config, err)
	}
	return strings.TrimSpace(out)
}

// watch sees a change through an open watch.
func (s *session) watch() {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	cmd := kubectlCommand(ctx, s.config, "-n", s.namespace, "get", "configmap", "one", "--watch", "-o", "jsonpath={.data.e}{\"\\n\"}")
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	buf := make([]byte, 64)
	n, _ := out.Read(buf) // the object as it is
	if _, err := tryKubectl(s.t, s.config, nil, "-n", s.namespace, "patch", "configmap", "one", `-p={"data":{"e":"seen"}}`); err != nil {
		s.t.Errorf("%s: %v", s.config, err)
	}
	m, _ := out.Read(buf[n:])
	cancel()
	_ = cmd.Wait()
	s.note([]string{"get", "--watch"}, string(buf[:n+m]), nil)
}

// applies applies the same manifest client-side, then another server-side.
func (s *session) applies() {
	manifest := func(value string) io.Reader {
		return strings.NewReader("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\ndata: {v: '" + value + "'}\n")
	}
	s.with(manifest("1"), "apply", "-f", "-")
	s.with(manifest("2"), "diff", "-f", "-")
	s.with(manifest("2"), "apply", "-f", "-")
	s.with(manifest("3"), "apply", "--server-side", "--force-conflicts", "-f", "-")
	s.with(manifest("4"), "apply", "--server-side", "--dry-run=server", "-f", "-")
	s.with(manifest("5"), "replace", "-f", "-")
	s.do("get", "configmap", "applied", "-o", "jsonpath={.data.v}")
}

// pod runs one pod and does everything that needs a kubelet.
func (s *session) pod() {
	s.do("run", "worker", "--image=registry.example/worker:1.0",
		`--overrides={"spec":{"nodeName":"cloud-1"},"metadata":{"annotations":{"kwok.x-k8s.io/usage-cpu":"50m","kwok.x-k8s.io/usage-memory":"32Mi"}}}`)
	s.do("wait", "pod/worker", "--for=condition=Ready", "--timeout=60s")
	s.do("get", "pod", "worker", "-o", "jsonpath={.spec.nodeName} {.status.phase}")
	s.do("logs", "worker", "--tail=2")
	s.follow("logs", "-f", "worker")
	for _, websockets := range []string{"true", "false"} {
		s.exec(websockets)
		s.portForward(websockets)
	}
	s.copyOut()
	s.follow("attach", "worker")
	s.proxy()
	s.top()
	s.do("delete", "pod", "worker", "--now")
}

// follow reads some of what a command streams, then leaves.
func (s *session) follow(args ...string) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	cmd := kubectlCommand(ctx, s.config, append([]string{"-n", s.namespace}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	n, _ := out.Read(make([]byte, 1024))
	cancel()
	_ = cmd.Wait()
	s.note(args, fmt.Sprintf("streamed: %t\n", n > 0), nil)
}

// exec runs a command in the pod, over a WebSocket or SPDY.
func (s *session) exec(websockets string) {
	s.t.Setenv("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets)
	s.do("exec", "worker", "--", "echo", "through", websockets)
	s.do("exec", "worker", "--", "sh", "-c", "echo err >&2")
	s.do("exec", "-t", "worker", "--", "sh", "-c", "test -t 1 && echo terminal")
}

// portForward fetches a page through a forwarded port, over a WebSocket or SPDY.
func (s *session) portForward(websockets string) {
	s.t.Setenv("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets)
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	cmd := kubectlCommand(ctx, s.config, "-n", s.namespace, "port-forward", "pod/worker", ":9100")
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	defer func() { cancel(); _ = cmd.Wait() }()
	buf := make([]byte, 256)
	n, err := out.Read(buf)
	local := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(string(buf[:n]))
	if err != nil || local == "" {
		s.t.Fatalf("%s: port-forward said %q (%v)", s.config, buf[:n], err)
	}
	client := &http.Client{Timeout: 30 * time.Second}
	resp, err := client.Get("http://" + local + "/metrics")
	if err != nil {
		s.t.Errorf("%s: through the forwarded port: %v", s.config, err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	s.note([]string{"port-forward", websockets}, fmt.Sprintf("%s, metrics: %t\n", resp.Status, bytes.Contains(body, []byte("# TYPE"))), nil)
}

// copyOut copies a file out of the pod. kwok's exec runs on this machine, so the file is one of ours; copying in would
// hang, since the end of standard input does not reach kwok's commands.
func (s *session) copyOut() {
	dir := s.t.TempDir()
	from := filepath.Join(dir, "from")
	if err := os.WriteFile(from, bytes.Repeat([]byte("postern "), 100_000), 0o644); err != nil {
		s.t.Fatal(err)
	}
	to := filepath.Join(dir, "to")
	if out, err := tryKubectl(s.t, s.config, nil, "-n", s.namespace, "cp", "worker:"+from, to); err != nil {
		s.t.Errorf("%s: cp: %v\n%s", s.config, err, out)
	}
	b, _ := os.ReadFile(to)
	s.note([]string{"cp"}, fmt.Sprintf("%d bytes\n", len(b)), nil)
}

// proxy reads the API through `kubectl proxy`.
func (s *session) proxy() {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	cmd := kubectlCommand(ctx, s.config, "proxy", "--port=0", "--address=127.0.0.1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	defer func() { cancel(); _ = cmd.Wait() }()
	buf := make([]byte, 256)
	n, _ := out.Read(buf)
	address := strings.TrimSpace(strings.TrimPrefix(string(buf[:n]), "Starting to serve on "))
	if _, _, err := net.SplitHostPort(address); err != nil {
		s.t.Fatalf("%s: proxy said %q", s.config, buf[:n])
	}
	resp, err := http.Get("http://" + address + "/api/v1/namespaces/" + s.namespace)
	if err != nil {
		s.t.Errorf("%s: through kubectl proxy: %v", s.config, err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	s.note([]string{"proxy"}, string(body), nil)
}

// top reads usage from metrics-server, which needs one of its rounds to know a new pod.
func (s *session) top() {
	s.until("usage of the pod", func() bool {
		_, err := tryKubectl(s.t, s.config, nil, "-n", s.namespace, "top", "pod", "worker")
		return err == nil
	})
	s.do("top", "pod", "worker", "--no-headers")
	out := kubectl(s.t, s.config, "top", "nodes", "--no-headers")
	s.note([]string{"top", "nodes"}, fmt.Sprintf("%d nodes\n", strings.Count(out, "\n")), nil)
}

// deploys rolls a deployment out, scales and undoes it.
func (s *session) deploys() {
	s.do("create", "deployment", "web", "--image=registry.example/web:1.0", "--replicas=2")
	s.do("rollout", "status", "deployment/web", "--timeout=60s")
	s.do("scale", "deployment", "web", "--replicas=3")
	s.do("set", "image", "deployment/web", "web=registry.example/web:2.0")
	s.do("rollout", "status", "deployment/web", "--timeout=60s")
	s.do("rollout", "undo", "deployment/web")
	s.do("get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
	s.do("expose", "deployment", "web", "--port=80")
	s.do("get", "service", "web", "-o", "jsonpath={.spec.ports}")
	s.do("delete", "deployment,service", "web")
	s.do("delete", "configmaps", "--all")
}
