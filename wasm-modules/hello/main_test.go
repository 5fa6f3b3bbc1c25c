package main

import (
	"testing"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/moduletest"
)

func TestGreet(t *testing.T) {
	moduletest.Ways(t, module.Services{}, module.Policy{Limits: module.DefaultLimits()}, greets)
}

func greets(t *testing.T, m *moduletest.Module) {
	alice := &exchange.User{Name: "alice"}
	for uri, want := range map[string]string{
		"/kapis/hello.postern.io/v1/greetings":                    "Hello, alice!\n",
		"/kapis/hello.postern.io/v1/greetings?name=J%C3%BCrgen+K": "Hello, Jürgen K!\n",
	} {
		if a := m.Ask(t, moduletest.Request{URI: uri, User: alice}); a.Code != 200 || a.Body != want {
			t.Errorf("%s: got %d %q, want %q", uri, a.Code, a.Body, want)
		}
	}
	m.Files(t, "tests/*.http")
	if a := m.Ask(t, moduletest.Request{URI: "/kapis/hello.postern.io/v1/nothing", User: alice}); a.Code != 404 {
		t.Errorf("got %d for a path that is not there, want 404", a.Code)
	}
}
