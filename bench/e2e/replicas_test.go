package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/session/sessiontest"
)

// startReplica is another gateway before the same cluster, which shares sessions by Redis. It ends with the test.
func startReplica(t *testing.T, redis *sessiontest.Server) (address string) {
	t.Helper()
	dir := t.TempDir()
	address, operators := freeAddress(t), freeAddress(t)
	cmd := exec.Command(filepath.Join(stack.Bin, "postern"), "run", "--config", stack.Config,
		"--set", "postern.listen.address="+address, "--set", "postern.listen.tls.address=", "--set", "postern.admin.address="+operators,
		"--set", "postern.modules.dir="+dir, "--set", "postern.sessions.journalFile="+filepath.Join(dir, "journal"),
		"--set", fmt.Sprintf("cache={type: redis, options: {host: %s, port: %d, password: %q}}", redis.Host, redis.Port, redis.Password))
	log := filepath.Join(dir, "log")
	file, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = file
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := errors.Join(cmd.Start(), file.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // its end was asked for
		if t.Failed() {
			text, _ := os.ReadFile(log)
			t.Logf("the log of a replica:\n%s", text)
		}
	})
	eventuallyWithin(t, time.Minute, "a replica is ready", func() bool {
		r, err := http.Get("http://" + operators + "/readyz")
		if err != nil {
			return false
		}
		return r.Body.Close() == nil && r.StatusCode == http.StatusOK
	})
	return "http://" + address
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

func eventuallyWithin(t *testing.T, limit time.Duration, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, limit)
		}
	}
}

// TestReplicasShareSessions has two gateways: a token of one is good at the other, a logout at one is known to the other,
// also when Redis was away meanwhile and has come back empty, and guesses at both count together.
func TestReplicasShareSessions(t *testing.T) {
	redis := sessiontest.Redis(t)
	one, two := startReplica(t, redis), startReplica(t, redis)
	ask := func(method, address, token string, form url.Values) int {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		return r.StatusCode
	}
	login := func() (*person, string) {
		p := newPerson(t, "alice")
		p.must(userPassword(t, "alice"), "postern", "login", one, "-u", "alice", "--password-stdin")
		return p, strings.TrimSpace(p.must("", "postern", "credential", "--token"))
	}
	const pods = "/api/v1/namespaces/demo-shop/pods"
	alice, token := login()
	for _, gateway := range []string{one, two} {
		if code := ask(http.MethodGet, gateway+pods, token, nil); code != http.StatusOK {
			t.Errorf("a login at one is %d at %s", code, gateway)
		}
	}
	alice.must("", "postern", "logout")
	eventuallyWithin(t, time.Minute, "the logout is known", func() bool { return ask(http.MethodGet, two+pods, token, nil) == http.StatusUnauthorized })

	_, second := login()
	redis.Kill()
	eventuallyWithin(t, time.Minute, "a logout is refused without Redis", func() bool {
		return ask(http.MethodPost, one+"/oauth/logout", second, nil) == http.StatusServiceUnavailable
	})
	if code := ask(http.MethodGet, one+pods, second, nil); code != http.StatusUnauthorized {
		t.Errorf("where it was asked for, the logout is not in force: %d", code)
	}
	if code := ask(http.MethodGet, two+pods, token, nil); code != http.StatusUnauthorized {
		t.Errorf("an ended session is alive without Redis: %d", code)
	}
	redis.Start()
	eventuallyWithin(t, time.Minute, "the logout is stored", func() bool { return ask(http.MethodGet, two+pods, second, nil) == http.StatusUnauthorized })

	guess := url.Values{"grant_type": {"password"}, "client_id": {"postern"}, "username": {"a-name-to-guess"}, "password": {"wrong"}}
	codes := map[int]int{}
	for i := range 12 { // five are too many
		codes[ask(http.MethodPost, []string{one, two}[i%2]+"/oauth/token", "", guess)]++
	}
	if codes[http.StatusTooManyRequests] < 7 || codes[http.StatusBadRequest] != 5 {
		t.Errorf("guesses at both were answered %v", codes)
	}
}
