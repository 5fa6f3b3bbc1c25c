package module

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// TestGrants: what a module wants and what it imports must both be granted, capability by capability.
func TestGrants(t *testing.T) {
	about := &manifest.Manifest{Name: "a", Wants: manifest.Wants{
		Kube: []manifest.WantKube{{Groups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}}}, Prometheus: true, Access: true, Accounts: true,
		HTTP: []string{"b"}, Hosts: []string{"c.io"},
	}}
	imports := [][2]string{
		{hostabi.ModuleCore, "log"},
		{hostabi.ModuleKube, "query"},
		{hostabi.ModulePrometheus, "call"},
		{hostabi.ModuleHTTP, "call"},
		{hostabi.ModuleAccess, "call"},
		{hostabi.ModuleAccounts, "call"},
	}
	full := service.Grants{
		Kube:       []service.KubeGrant{{Groups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}},
		Prometheus: true, Access: true, Accounts: true, HTTP: []string{"b"}, Hosts: []string{"c.io"},
	}
	for lacks, take := range map[string]func(*service.Grants){
		"":           func(*service.Grants) {},
		"kube":       func(g *service.Grants) { g.Kube = nil },
		"prometheus": func(g *service.Grants) { g.Prometheus = false },
		"access":     func(g *service.Grants) { g.Access = false },
		"accounts":   func(g *service.Grants) { g.Accounts = false },
		"http":       func(g *service.Grants) { g.HTTP, g.Hosts = nil, nil },
	} {
		have := full
		take(&have)
		wanted, linked := errors.Join(missingGrants(about, Policy{Grants: have})...), errors.Join(unlinked(imports, have)...)
		if lacks == "" {
			if wanted != nil || linked != nil {
				t.Errorf("all is granted: %v, %v", wanted, linked)
			}
			continue
		}
		for _, err := range []error{wanted, linked} {
			if err == nil || !strings.Contains(err.Error(), "not granted: ") || !strings.Contains(err.Error(), lacks) {
				t.Errorf("without %s: %v", lacks, err)
			}
		}
	}
}

// TestCallsSay: what a call tells its service, and what of it counts as sent.
func TestCallsSay(t *testing.T) {
	ctx := new(fasthttp.RequestCtx)
	ctx.SetRemoteAddr(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 7})
	ctx.Request.Header.SetUserAgent("curl")
	user := &exchange.User{Name: "alice", Session: "s"}
	gen := &Generation{image: &image{about: &manifest.Manifest{Name: "a"}}, limits: Limits{SendBytes: 1000}}
	gen.grants.Store(&service.Grants{})
	r := &request{gen: gen, x: &exchange.Exchange{HTTP: ctx, User: user, ID: "id"}, handles: handles{most: 10_000}}
	large, _ := r.handles.add(make([]byte, 2000))
	small, _ := r.handles.add([]byte(`["x"]`))
	record := hostabi.Record{}.Append(hostabi.TagBodyHandle, "1").Append(hostabi.TagOnly, "2").Append(hostabi.TagExcept, "2")
	if large != 1 || small != 2 {
		t.Fatal(large, small)
	}
	call, code := r.newCall(callQuery, record)
	if code != hostabi.OK || len(call.Body) != 2000 || string(call.Only) != `["x"]` || string(call.Except) != `["x"]` || call.Address != "" || call.UserAgent != "" {
		t.Errorf("%v: %+v", code, call)
	}
	if _, code := r.newCall(callKube, record); code != hostabi.TooLarge {
		t.Errorf("a body of more than may be sent: %v", code)
	}
	call, code = r.newCall(callAccounts, nil)
	if code != hostabi.OK || call.Address != "192.0.2.1" || call.UserAgent != "curl" || call.Caller != user {
		t.Errorf("%v: %+v", code, call)
	}
	for tag, want := range map[hostabi.Tag]hostabi.Code{hostabi.TagOnly: hostabi.NotFound, hostabi.TagExcept: hostabi.NotFound} {
		if _, code := r.newCall(callQuery, hostabi.Record{}.Append(tag, "9")); code != want {
			t.Errorf("tag %d of no handle: %v", tag, code)
		}
		if _, code := r.newCall(callQuery, hostabi.Record{}.Append(tag, "-1")); code != hostabi.BadArgument {
			t.Errorf("tag %d of no number: %v", tag, code)
		}
	}
}
