package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/admin"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/manager"
	"github.com/posternhq/postern/gateway/module/moduletest/guests"
)

// operated is a manager behind an admin listener; the flags that say where it is.
func operated(t *testing.T) (m *manager.Manager, flags []string) {
	t.Helper()
	dir := t.TempDir()
	engine, err := module.NewEngine(t.Context(), module.Options{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	m = manager.New(engine, manager.Options{
		Dir: filepath.Join(dir, "modules"), Interval: 20 * time.Millisecond, Log: zerolog.Nop(),
		Policy: func(string) module.Policy { return module.Policy{Limits: module.DefaultLimits()} },
		Rollout: func(name string) *manager.Rollout {
			return map[string]*manager.Rollout{"b": {Weight: 50, MinRequests: 1, Manual: true}}[name]
		},
	})
	tokenFile := filepath.Join(dir, "token")
	token, err := admin.Token(tokenFile)
	if err != nil {
		t.Fatal(err)
	}
	s := admin.New(admin.Options{Gatherer: prometheus.NewRegistry(), Modules: m, Token: token, Address: "127.0.0.1:0"})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) })
	running.Go(func() { _ = s.Serve(ln) })
	t.Cleanup(func() {
		cancel()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		running.Wait()
		if err := engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	<-m.Ready()
	return m, []string{"--admin", ln.Addr().String(), "--token-file", tokenFile}
}

func TestModuleOperations(t *testing.T) {
	_, flags := operated(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name+text+".wasm")
		if err := os.WriteFile(path, guests.Saying(t, text, guests.Serving(name, name+".io/v1")), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a1, a2 := file("a", "one"), file("a", "two")
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"load", a1}, "a loaded: "},
		{[]string{"load", a1}, "a unchanged: "},
		{[]string{"load", a2}, "; before: "},
		{[]string{"rollback", "a"}, "a rolled back: "},
		{[]string{"disable", "a"}, "a disabled: nothing serves; before: "},
		{[]string{"list"}, "disabled"},
		{[]string{"enable", "a"}, "(version 1) serves a.io/v1"},
		{[]string{"load", file("b", "one")}, "b loaded: "},
		{[]string{"load", file("b", "two")}, "is tried: see `postern module show b`"},
		{[]string{"show", "b"}, "gets 50 % since"},
		{[]string{"promote", "b"}, "b promoted: "},
		{[]string{"load", file("b", "three")}, "b trying: "},
		{[]string{"abort", "b"}, "b aborted: "},
		{[]string{"show", "b"}, "aborted by an operator"},
		{[]string{"logs", "a"}, ""},
		{[]string{"top", "--once", "--interval", "100ms"}, "a       serving "},
		{[]string{"delete", "b"}, "b deleted: nothing serves"},
	} {
		text, err := execute(append(append([]string{"module"}, c.args...), flags...)...)
		if err != nil || !strings.Contains(text, c.says) {
			t.Errorf("%q: %q (%v), want %q", c.args, text, err, c.says)
		}
	}
	text, err := execute(append([]string{"module", "disable", "a", "-o", "json"}, flags...)...)
	var answer manager.Answer
	if err != nil || json.Unmarshal([]byte(text), &answer) != nil || answer.Action != "disabled" || answer.Digest != "" {
		t.Errorf("%s %v", text, err)
	}
	text, err = execute(append([]string{"__complete", "module", "enable"}, append(flags, "")...)...)
	if err != nil || !strings.HasPrefix(text, "a\tdisabled") {
		t.Errorf("completion: %q %v", text, err)
	}
}

func TestModuleOperationsFail(t *testing.T) {
	_, flags := operated(t)
	greedy := filepath.Join(t.TempDir(), "a.wasm")
	if err := os.WriteFile(greedy, guests.Saying(t, "x", guests.Serving("a", "a.io/v1")+"wants: {prometheus: true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{append([]string{"load", greedy}, flags...), exitFailure, "not granted: prometheus"},
		{append([]string{"load", "module_test.go"}, flags...), exitFailure, "not a WebAssembly"},
		{append([]string{"disable", "nobody"}, flags...), exitFailure, `no module "nobody"`},
		{append([]string{"disable"}, flags...), exitUsage, ""},
		{append([]string{"top", "--sort", "size"}, flags...), exitUsage, "unknown order"},
		{append([]string{"show", "a", "-o", "yaml"}, flags...), exitUsage, "unknown output"},
		{[]string{"show", "a", "--admin", "127.0.0.1:1"}, exitFailure, "is the gateway running"},
		{append([]string{"list"}, flags[0], flags[1], "--token-file", greedy+".none"), exitFailure, "cannot read the token"},
	} {
		if _, err := execute(append([]string{"module"}, c.args...)...); exitCode(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v (%d), want %q (%d)", c.args, err, exitCode(err), c.says, c.code)
		}
	}
	t.Setenv("XDG_STATE_HOME", t.TempDir()) // no token there
	if _, err := execute("module", "disable", "a", flags[0], flags[1]); err == nil || !strings.Contains(err.Error(), "name its file with --token-file") {
		t.Errorf("without a token: %v", err)
	}
}

func TestUsageOfTop(t *testing.T) {
	loaded := time.Now()
	before := []manager.Status{{File: "a.wasm", Digest: "1", Loaded: loaded, Requests: 100, Failures: 1, GuestNanoseconds: 1e9}, {File: "b.wasm", Digest: "1", Requests: 50}}
	now := []manager.Status{{File: "a.wasm", Digest: "1", Loaded: loaded, Requests: 300, Failures: 3, GuestNanoseconds: 2e9}, {File: "b.wasm", Digest: "2", Requests: 10}}
	all := compareUsage(before, now, 2*time.Second)
	if a := all[0]; a.RequestsPerSecond != 100 || a.ErrorsPerSecond != 1 || a.CPU != 0.5 {
		t.Errorf("%+v", a)
	}
	if b := all[1]; b.RequestsPerSecond != 5 { // another version: from nothing
		t.Errorf("%+v", b)
	}
}
