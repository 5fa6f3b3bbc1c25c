package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

func TestLoginKeepsTokens(t *testing.T) {
	g := newFakeGateway(t).loggedIn()
	if l := g.kept(); l == nil || l.Access != "access-1" || l.Refresh != "refresh-1" || l.User != "alice" || len(l.CA) == 0 || time.Until(l.Expires) < time.Hour {
		t.Errorf("kept %+v", l)
	}
	for path, want := range map[string]os.FileMode{g.path("postern", "logins.json"): 0o600, g.path("postern"): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	// Again, of the gateway and with the authority of the last login, with the password in a variable.
	t.Setenv(passwordVariable, "s3cret & more")
	out, err := g.command("", "login", "-u", "alice", "-o", "json")
	var result loginResult
	if err != nil || json.Unmarshal([]byte(out), &result) != nil || result.Server != g.URL || result.User != "alice" || result.File != g.path("postern", "logins.json") {
		t.Errorf("%s%v", out, err)
	}
}

func TestLoginRefused(t *testing.T) {
	g := newFakeGateway(t)
	ca := g.path("ca.crt")
	plain := strings.Replace(g.URL, "https", "http", 1)
	for name, c := range map[string]struct {
		in   string
		args []string
		code int
		want string
	}{
		"wrong password":  {"wrong", []string{g.URL, "--ca", ca, "-u", "alice", "--password-stdin"}, exitFailure, `as "alice": that is not right`},
		"locked":          {"x", []string{g.URL, "--ca", ca, "-u", "locked", "--password-stdin"}, exitFailure, "try again in 1m30s"},
		"no authority":    {"x", []string{g.URL, "-u", "alice", "--password-stdin"}, exitFailure, "--ca FILE"},
		"no file":         {"x", []string{g.URL, "--ca", "missing", "-u", "alice", "--password-stdin"}, exitFailure, "cannot read the certificate authority"},
		"no certificate":  {"x", []string{g.URL, "--ca", "login_test.go", "-u", "alice", "--password-stdin"}, exitFailure, "no certificate"},
		"nobody there":    {"x", []string{"https://127.0.0.1:1", "-u", "alice", "--password-stdin"}, exitFailure, "cannot reach"},
		"not TLS":         {"x", []string{plain, "-u", "alice", "--password-stdin"}, exitFailure, ""},
		"no URL":          {"x", []string{"-u", "alice", "--password-stdin"}, exitUsage, "which gateway?"},
		"not a URL":       {"x", []string{"gateway:9090", "-u", "a", "--password-stdin"}, exitUsage, "want a URL"},
		"a path":          {"x", []string{g.URL + "/console", "-u", "a", "--password-stdin"}, exitUsage, "want scheme, host and port alone"},
		"in the clear":    {"x", []string{"http://gateway.example.com", "-u", "a", "--password-stdin"}, exitUsage, "use https"},
		"stdin, no user":  {"x", []string{g.URL, "--password-stdin"}, exitUsage, "needs --user"},
		"web and user":    {"", []string{g.URL, "--web", "-u", "alice"}, exitUsage, "leave --user"},
		"unknown output":  {"", []string{g.URL, "-o", "yaml"}, exitUsage, "want text or json"},
		"two arguments":   {"", []string{g.URL, "alice"}, exitUsage, ""},
		"a password flag": {"", []string{g.URL, "--password", "x"}, exitUsage, "unknown flag"},
	} {
		_, err := g.command(c.in, append([]string{"login"}, c.args...)...)
		if exitCode(err) != c.code || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: code %d, %v", name, exitCode(err), err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the password is in %v", name, err)
		}
	}
	if _, err := os.Stat(g.path("postern", "logins.json")); err == nil {
		t.Error("something was kept of failed logins")
	}
}

// TestLoginInTheBrowser plays the browser, and somebody who sends codes of their own.
func TestLoginInTheBrowser(t *testing.T) {
	g := newFakeGateway(t)
	said, say := io.Pipe()
	done := make(chan error, 1)
	go func() {
		command := newCommand()
		command.SetOut(say)
		command.SetErr(say)
		command.SetArgs([]string{"login", g.URL, "--ca", g.path("ca.crt"), "--web", "--no-browser"})
		err := command.ExecuteContext(context.Background())
		done <- err
		_ = say.Close() // reading ends
	}()
	text := make([]byte, 0, 4096)
	address := regexp.MustCompile(`https://\S+`)
	for address.Find(text) == nil || !strings.HasSuffix(string(text), "\n\n") {
		part := make([]byte, 1024)
		n, err := said.Read(part)
		if err != nil {
			t.Fatalf("%s%v", text, err)
		}
		text = append(text, part[:n]...)
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	browser := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: g.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}}}
	there := string(address.Find(text))
	back := regexp.MustCompile(`http%3A%2F%2F127\.0\.0\.1%3A(\d+)`).FindStringSubmatch(there)
	forged, err := browser.Get("http://127.0.0.1:" + back[1] + "/callback?code=theirs&state=guessed")
	if err != nil {
		t.Fatal(err)
	}
	_ = forged.Body.Close()
	if forged.StatusCode != http.StatusNotFound {
		t.Errorf("a code with another state: %s", forged.Status)
	}
	r, err := browser.Get(there)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil || !strings.Contains(string(page), "logged in") {
		t.Errorf("the browser shows %s, %v", page, err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if l := g.kept(); l == nil || l.Access != "access-1" {
		t.Errorf("kept %+v", l)
	}
}

func TestCredential(t *testing.T) {
	g := newFakeGateway(t).loggedIn()
	for _, version := range []string{credentialV1, credentialV1beta1} {
		t.Setenv("KUBERNETES_EXEC_INFO", `{"kind":"ExecCredential","apiVersion":"`+version+`","spec":{"interactive":false}}`)
		out, err := g.command("", "credential", "--server", g.URL, "-u", "alice")
		var c struct {
			APIVersion, Kind string
			Status           struct {
				Token               string
				ExpirationTimestamp time.Time
			}
		}
		if err != nil || json.Unmarshal([]byte(out), &c) != nil || c.APIVersion != version || c.Kind != "ExecCredential" || c.Status.Token != "access-1" ||
			!c.Status.ExpirationTimestamp.Before(g.kept().Expires) {
			t.Errorf("%s%v", out, err)
		}
	}
	t.Setenv("KUBERNETES_EXEC_INFO", `{"apiVersion":"client.authentication.k8s.io/v1alpha1"}`)
	if _, err := g.command("", "credential"); exitCode(err) != exitFailure {
		t.Errorf("an old version: %v", err)
	}
	t.Setenv("KUBERNETES_EXEC_INFO", "")
	if out, err := g.command("", "credential", "--token"); err != nil || out != "access-1\n" {
		t.Errorf("%s%v", out, err)
	}
	if _, err := g.command("", "credential", "-u", "bob"); exitCode(err) != exitFailure || !strings.Contains(err.Error(), "postern login https://GATEWAY -u bob") {
		t.Errorf("nobody is logged in: %v", err)
	}
}

// TestOneOfSeveralRefreshes has many kubectls find the token expired at once: a refresh token that is used twice would end
// the session.
func TestOneOfSeveralRefreshes(t *testing.T) {
	g := newFakeGateway(t)
	g.life = 1
	g.loggedIn()
	g.set(func() { g.life = 7200 })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asProgram, "1")
	results := make(chan string, 8)
	for range cap(results) {
		go func() {
			out, err := exec.Command(self, "credential", "--server", g.URL, "--user", "alice", "--token").CombinedOutput()
			if err != nil {
				out = append(out, err.Error()...)
			}
			results <- string(out)
		}()
	}
	for range cap(results) {
		if got := <-results; got != "access-2\n" {
			t.Errorf("got %q", got)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refreshes != 1 {
		t.Errorf("refreshed %d times", g.refreshes)
	}
}

func TestALoginThatIsOver(t *testing.T) {
	g := newFakeGateway(t)
	g.life = 1
	g.loggedIn()
	g.set(func() { g.down = true })
	if _, err := g.command("", "credential"); exitCode(err) != exitFailure || g.kept().Refresh == "" {
		t.Errorf("a gateway that is down has ended the login: %v", err)
	}
	g.set(func() { g.down, g.refresh = false, "" })
	for range 2 {
		_, err := g.command("", "credential")
		if exitCode(err) != exitFailure || !strings.Contains(err.Error(), "postern login "+g.URL+" -u alice") {
			t.Errorf("it does not say what to do: %v", err)
		}
	}
	if l := g.kept(); l.Refresh != "" || l.Access != "" {
		t.Errorf("kept %+v", l)
	}
	if out, err := g.command("", "logout"); err != nil {
		t.Errorf("%s%v", out, err)
	}
}

func TestLogout(t *testing.T) {
	g := newFakeGateway(t).loggedIn()
	g.set(func() { g.down = true })
	if _, err := g.command("", "logout"); exitCode(err) != exitFailure || g.kept() == nil || !strings.Contains(err.Error(), "--local") {
		t.Errorf("logged out of a gateway that is down: %v", err)
	}
	g.set(func() { g.down = false })
	if out, err := g.command("", "logout"); err != nil || g.kept() != nil || g.ended != 1 {
		t.Errorf("%s%v, ended %d", out, err, g.ended)
	}
	if _, err := g.command("", "logout"); exitCode(err) != exitFailure {
		t.Errorf("logged out twice: %v", err)
	}
	g.loggedIn()
	if _, err := g.command("", "logout", "--local"); err != nil || g.kept() != nil || g.ended != 1 {
		t.Errorf("%v, ended %d", err, g.ended)
	}
}

func TestKubeconfig(t *testing.T) {
	g := newFakeGateway(t).loggedIn()
	name := "postern-" + strings.TrimPrefix(g.URL, "https://")
	out, err := g.command("", "kubeconfig", "-n", "demo-shop")
	if err != nil {
		t.Fatal(err)
	}
	c, err := clientcmd.Load([]byte(out))
	if err != nil {
		t.Fatal(err)
	}
	cluster, user, context := c.Clusters[name], c.AuthInfos["alice@"+name], c.Contexts[c.CurrentContext]
	if cluster == nil || user == nil || context == nil || cluster.Server != g.URL || len(cluster.CertificateAuthorityData) == 0 || user.Exec == nil ||
		context.Cluster != name || context.AuthInfo != "alice@"+name || context.Namespace != "demo-shop" {
		t.Fatalf("got %s", out)
	}
	if got := strings.Join(user.Exec.Args, " "); got != "credential --server "+g.URL+" --user alice" || user.Token != "" || strings.Contains(out, "access-1") {
		t.Errorf("runs %s with %q", user.Exec.Command, got)
	}
	out, err = g.command("", "kubeconfig", "--embed-token")
	if c, bad := clientcmd.Load([]byte(out)); err != nil || bad != nil || c.AuthInfos["alice@"+name].Token != "access-1" || c.AuthInfos["alice@"+name].Exec != nil {
		t.Errorf("%s%v", out, err)
	}
	out, err = g.command("", "kubeconfig", "bob", "--login-file", g.path("postern", "logins.json"))
	if c, bad := clientcmd.Load([]byte(out)); err != nil || bad != nil || !strings.Contains(strings.Join(c.AuthInfos["bob@"+name].Exec.Args, " "), "--user bob --login-file "+g.path("postern")) {
		t.Errorf("%s%v", out, err)
	}
}

func TestKubeconfigIsMerged(t *testing.T) {
	g := newFakeGateway(t).loggedIn()
	name := "alice@postern-" + strings.TrimPrefix(g.URL, "https://")
	file := g.path("work.kubeconfig")
	old := `{"apiVersion":"v1","kind":"Config","current-context":"work","clusters":[{"name":"work","cluster":{"server":"https://work","certificate-authority":"ca.crt"}}],
"users":[{"name":"me","user":{"token":"t"}}],"contexts":[{"name":"work","context":{"cluster":"work","user":"me"}}]}`
	if err := os.WriteFile(file, []byte(old), 0o640); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-o", file, "--keep-context"}, {"-o", file}, {"-o", file}} {
		if out, err := g.command("", append([]string{"kubeconfig"}, args...)...); err != nil || !strings.Contains(out, file) {
			t.Fatalf("%s%v", out, err)
		}
		c, err := clientcmd.LoadFromFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := name
		if len(args) == 3 {
			want = "work"
		}
		if c.CurrentContext != want || len(c.Contexts) != 2 || len(c.Clusters) != 2 || c.AuthInfos["me"].Token != "t" || c.Clusters["work"].CertificateAuthority != "ca.crt" {
			t.Errorf("%v: %+v", args, c)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	t.Setenv("KUBECONFIG", g.path("new", "config"))
	if out, err := g.command("", "kubeconfig", "--merge"); err != nil || !strings.Contains(out, g.path("new", "config")) {
		t.Errorf("%s%v", out, err)
	}
	if info, err := os.Stat(g.path("new", "config")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestKubeconfigRefused(t *testing.T) {
	g := newFakeGateway(t)
	broken := g.path("broken")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(name string, code int, want string, args ...string) {
		t.Helper()
		_, err := g.command("", append([]string{"kubeconfig"}, args...)...)
		if exitCode(err) != code || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: code %d, %v", name, exitCode(err), err)
		}
	}
	check("nobody", exitFailure, "postern login https://GATEWAY")
	check("nobody of that name", exitFailure, "-u alice", "alice")
	check("plain HTTP", exitFailure, "https alone", "alice", "--server", "http://127.0.0.1:9090")
	check("embed nobody's", exitFailure, "postern login", "alice", "--server", g.URL, "--embed-token")
	g.loggedIn()
	check("two files", exitUsage, "one file", "--merge", "-o", "x")
	check("a broken file", exitFailure, "cannot merge", "-o", broken)
	check("no server", exitUsage, "want a URL", "--server", "x")
	if text, err := os.ReadFile(broken); err != nil || string(text) != "{" {
		t.Errorf("the broken file is %s, %v", text, err)
	}
}
