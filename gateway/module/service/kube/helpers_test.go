package kube

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// start makes a service in front of a server.
func start(t *testing.T, opt Options, h http.Handler) *Service {
	t.Helper()
	server := httptest.NewServer(h)
	opt.Config = &rest.Config{Host: server.URL, BearerToken: "gateway"}
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		server.Close()
	})
	return s
}

// everything is granted.
var everything = &service.Grants{Kube: []service.KubeGrant{{Groups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}}}

// do makes a call as the module of tags and values.
func do(s *Service, tagsAndValues ...any) service.Result {
	return doAs(s, nil, everything, append([]any{hostabi.TagAs, "module"}, tagsAndValues...)...)
}

func doAs(s *Service, user *exchange.User, grants *service.Grants, tagsAndValues ...any) service.Result {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return s.Do(ctx, callOf(user, grants, tagsAndValues...))
}

func callOf(user *exchange.User, grants *service.Grants, tagsAndValues ...any) *service.Call {
	var r hostabi.Record
	for i := 0; i < len(tagsAndValues); i += 2 {
		r = r.Append(tagsAndValues[i].(hostabi.Tag), tagsAndValues[i+1].(string))
	}
	return &service.Call{Module: "test", Grants: grants, Caller: user, RequestID: "id-1", Record: r, MaxBytes: 1 << 20}
}

// allowAll authorizes everything.
func allowAll(*exchange.User, *exchange.RequestInfo) exchange.Decision {
	return exchange.Decision{Allowed: true}
}

// same compares JSON.
func same(t *testing.T, got []byte, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatalf("%v in %q", err, got)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	if string(x) != string(y) {
		t.Errorf("got  %s\nwant %s", x, y)
	}
}
