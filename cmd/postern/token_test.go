package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway"
	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/token"
)

// alice is the only account.
var alice = account.NewDirectory([]*account.Account{{Name: "alice", State: account.Active}})

func printed(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return executed(t, newTokenCommand(), args...)
}

func executed(t *testing.T, command *cobra.Command, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetOut(&out)
	command.SetArgs(args)
	err := command.ExecuteContext(t.Context())
	return out.String(), err
}

func TestTokenIsAccepted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kubesphere.yaml")
	text := "authentication:\n  jwtSecret: a secret of more than thirty-two bytes\n  oauthOptions:\n    issuer: https://example.org\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := token.New(token.Options{Secret: []byte("a secret of more than thirty-two bytes"), Issuer: "https://example.org"})
	if err != nil {
		t.Fatal(err)
	}
	ring := new(token.Ring)
	ring.Set(keys)
	s := authn.New(authn.Options{Users: alice, Keys: ring, MaxAge: time.Hour})
	for _, args := range [][]string{{"alice", "--config", file}, {"alice", "--config", file, "--life", "1m"}} {
		out, err := printed(t, args...)
		if err != nil || strings.Count(out, "\n") != 1 {
			t.Fatalf("%q: %q, %v", args, out, err)
		}
		ctx, user := new(fasthttp.RequestCtx), ""
		ctx.Request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(out))
		exchange.Run(ctx, nil, time.Now(), func(x *exchange.Exchange) {
			s.Serve(x, func(x *exchange.Exchange) { user = x.User.Name })
		})
		if user != "alice" {
			t.Errorf("%q: accepted as %q: %s", args, user, ctx.Response.Body())
		}
	}
	if _, err := printed(t, "alice", "--config", file, "--life", "-1m"); err == nil || exitCode(err) != exitUsage {
		t.Errorf("negative life: %v", err)
	}
}

// secrets is as much of kube-apiserver as the keys in a Secret need.
func secrets(t *testing.T) *httptest.Server {
	t.Helper()
	var mu sync.Mutex
	var stored map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method != http.MethodGet {
			if err := json.NewDecoder(r.Body).Decode(&stored); err != nil {
				w.WriteHeader(400)
				return
			}
		}
		if stored == nil {
			w.WriteHeader(404)
		}
		_ = json.NewEncoder(w).Encode(stored)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestTokenWithKeysOfTheCluster(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kubesphere.yaml")
	text := "kubernetes:\n  master: " + secrets(t).URL + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := printed(t, "alice", "--config", file)
	if err == nil || exitCode(err) != exitFailure || out != "" || !strings.Contains(err.Error(), "no gateway has made keys") {
		t.Errorf("before there are any: %q, %v", out, err)
	}
	for _, of := range []string{"0 of before", "1 of before"} {
		if out, err := executed(t, newKeysCommand(), "rotate", "--config", file); err != nil || !strings.Contains(out, of) {
			t.Errorf("rotate: %q, %v", out, err)
		}
	}
	out, err = printed(t, "alice", "--config", file)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := config.Load(config.Options{File: file})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := gateway.ReadKeys(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := keys.Verify(strings.TrimSpace(out), token.Access); err != nil || c.Username != "alice" {
		t.Errorf("%+v, %v", c, err)
	}
}
