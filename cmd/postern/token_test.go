package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/token"
)

// alice is the only account.
var alice = account.NewDirectory([]*account.Account{{Name: "alice", State: account.Active}})

func printed(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	command := newTokenCommand()
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetOut(&out)
	command.SetArgs(args)
	err := command.Execute()
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

func TestTokenWithoutASecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kubesphere.yaml")
	if err := os.WriteFile(file, []byte("authentication:\n  multipleLogin: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := printed(t, "alice", "--config", file); err == nil || exitCode(err) != exitFailure || out != "" {
		t.Errorf("%q, %v", out, err)
	}
}
