//go:build !wasip1

package guest

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/posternhq/postern/hostabi"
)

// fieldsOf are a record's fields.
func fieldsOf(t *testing.T, r hostabi.Record) map[hostabi.Tag][]string {
	t.Helper()
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	all := map[hostabi.Tag][]string{}
	for tag, value := range r.All() {
		all[tag] = append(all[tag], string(value))
	}
	return all
}

// said wants the calls of h to have been these.
func said(t *testing.T, h *host, want ...map[hostabi.Tag][]string) {
	t.Helper()
	if len(h.calls) != len(want) {
		t.Fatalf("%d calls, want %d", len(h.calls), len(want))
	}
	for i, w := range want {
		if got := fieldsOf(t, h.calls[i]); !maps.EqualFunc(got, w, slices.Equal) {
			t.Errorf("call %d says %v, want %v", i, got, w)
		}
	}
}

// TestListing: the request's own query goes along unless another is given, or none is wanted; lists come from the cache.
func TestListing(t *testing.T) {
	h := &host{fields: map[hostabi.Field]string{hostabi.FieldQuery: "page=2&x=%20"}}
	h.during(func(ex uint32) {
		r := &Request{ex: ex}
		users := Object{Group: "g", Version: "v1", Resource: "users", AsModule: true, Limit: 5, Continue: "x"}
		page, err := r.Page(Listing{
			Object: users, Filters: []Filter{{"email", Exact, "/spec/email", "left out"}, {"", Absent, "/spec/groups", "a\nb"}},
			Known: []string{"role", "ingroup"}, Only: Data{ex, 8}, Except: Data{ex, 9}, By: "/x", Drop: []string{"/spec/password"},
		})
		if err != nil || page.Handle() != 101 || page.Warning != "the reason" {
			t.Errorf("%+v, %v", page, err)
		}
		_, _ = r.Page(Listing{Object: users, Live: true, Query: "limit=1"})
		_, _ = r.Page(Listing{From: Data{ex, 7}, Unasked: true})
		said(
			t, h, map[hostabi.Tag][]string{
				hostabi.TagOperation: {"list"}, hostabi.TagGroup: {"g"}, hostabi.TagVersion: {"v1"}, hostabi.TagResource: {"users"},
				hostabi.TagAs: {"module"}, hostabi.TagSource: {"cache"}, hostabi.TagQuery: {"page=2&x=%20"},
				hostabi.TagFilter: {"email\nexact\n/spec/email", "\nabsent\n/spec/groups\na\nb"}, hostabi.TagKnown: {"role", "ingroup"},
				hostabi.TagOnly: {"8"}, hostabi.TagExcept: {"9"}, hostabi.TagBy: {"/x"}, hostabi.TagDrop: {"/spec/password"},
			}, map[hostabi.Tag][]string{
				hostabi.TagOperation: {"list"}, hostabi.TagGroup: {"g"}, hostabi.TagVersion: {"v1"}, hostabi.TagResource: {"users"},
				hostabi.TagAs: {"module"}, hostabi.TagQuery: {"limit=1"},
			}, map[hostabi.Tag][]string{hostabi.TagBodyHandle: {"7"}, hostabi.TagQuery: {""}},
		)
		if _, err := r.Names([]string{"a", `b"c`}); err != nil || h.document != `["a","b\"c"]` {
			t.Errorf("%s, %v", h.document, err)
		}
		h.fail = map[uint32]hostabi.Code{4: hostabi.BadArgument}
		if _, err := r.Page(Listing{}); !errors.Is(err, hostabi.BadArgument) {
			t.Errorf("%v", err)
		}
	})
}

func TestAccess(t *testing.T) {
	h := &host{values: map[string]string{"/allowed": "true", "/reason": "because", "/count": "3", "/all": "true", "/message": "forbidden"}}
	h.during(func(ex uint32) {
		r := &Request{ex: ex}
		what := Access{
			Verb: "get", Group: "g", Resource: "pods", Subresource: "log", Name: "p", User: "u", Groups: []string{"a", "b"},
			Place: Place{Scope: "Namespace", Workspace: "w", Namespace: "n", DevOps: "d"},
		}
		if d, err := r.May(what); err != nil || !d.Allowed || d.Reason != "because" {
			t.Errorf("%+v, %v", d, err)
		}
		if err := r.Demand(Access{Verb: "get", Path: "/x"}); err != nil {
			t.Error(err)
		}
		h.values["/allowed"] = "false"
		var refused *Error
		if err := r.Demand(Access{Verb: "get", Path: "/x"}); !errors.As(err, &refused) || refused.Status != 403 || refused.Message != "forbidden" {
			t.Errorf("%v", err)
		}
		if _, n, _ := r.Missing(Place{Workspace: "w"}, Data{ex, 9}); n != 3 {
			t.Errorf("%d are missing", n)
		}
		_, _, _ = r.MissingOfRole(Place{}, Role{Kind: "Role", Name: "r", Namespace: "n"})
		if _, all, _ := r.Namespaces(Access{Verb: "list", Resource: "pods"}); !all {
			t.Error("not all")
		}
		path := map[hostabi.Tag][]string{hostabi.TagOperation: {"may"}, hostabi.TagVerb: {"get"}, hostabi.TagPath: {"/x"}}
		said(
			t, h, map[hostabi.Tag][]string{
				hostabi.TagOperation: {"may"}, hostabi.TagVerb: {"get"}, hostabi.TagGroup: {"g"}, hostabi.TagResource: {"pods"},
				hostabi.TagSubresource: {"log"}, hostabi.TagName: {"p"}, hostabi.TagUser: {"u"}, hostabi.TagUserGroup: {"a", "b"},
				hostabi.TagScope: {"Namespace"}, hostabi.TagWorkspace: {"w"}, hostabi.TagNamespace: {"n"}, hostabi.TagDevOps: {"d"},
			}, path, path,
			map[hostabi.Tag][]string{hostabi.TagOperation: {"missing"}, hostabi.TagBodyHandle: {"9"}, hostabi.TagWorkspace: {"w"}},
			map[hostabi.Tag][]string{hostabi.TagOperation: {"missing"}, hostabi.TagKind: {"Role"}, hostabi.TagName: {"r"}, hostabi.TagNamespace: {"n"}},
			map[hostabi.Tag][]string{hostabi.TagOperation: {"namespaces"}, hostabi.TagVerb: {"list"}, hostabi.TagResource: {"pods"}},
		)
	})
}

func TestAccounts(t *testing.T) {
	h := &host{fail: map[uint32]hostabi.Code{2: hostabi.Denied}}
	h.during(func(ex uint32) {
		r := &Request{ex: ex}
		_, _ = r.Hash("p")
		if err := r.CheckPassword("u", "p"); !errors.Is(err, hostabi.Denied) {
			t.Errorf("%v", err)
		}
		if err := errors.Join(r.EndSessions("u", false), r.EndSessions("u", true)); err != nil {
			t.Error(err)
		}
		said(
			t, h, map[hostabi.Tag][]string{hostabi.TagOperation: {"hash"}, hostabi.TagPassword: {"p"}},
			map[hostabi.Tag][]string{hostabi.TagOperation: {"check"}, hostabi.TagUser: {"u"}, hostabi.TagPassword: {"p"}},
			map[hostabi.Tag][]string{hostabi.TagOperation: {"end_sessions"}, hostabi.TagUser: {"u"}},
			map[hostabi.Tag][]string{hostabi.TagOperation: {"end_sessions"}, hostabi.TagUser: {"u"}, hostabi.TagKeep: {"caller"}},
		)
	})
}

func TestWrites(t *testing.T) {
	h := new(host)
	h.during(func(ex uint32) {
		r := &Request{ex: ex}
		o, body := Object{Version: "v1", Resource: "things", Name: "a", DryRun: true}, Data{ex, 6}
		_, _ = r.Create(o, body)
		_, _ = r.Update(o, body)
		_, _ = r.Patch(o, body)
		_, _ = r.Delete(o)
	})
	var want []map[hostabi.Tag][]string
	for _, operation := range []string{"create", "update", "patch", "delete"} {
		w := map[hostabi.Tag][]string{
			hostabi.TagOperation: {operation}, hostabi.TagVersion: {"v1"}, hostabi.TagResource: {"things"}, hostabi.TagName: {"a"}, hostabi.TagDryRun: {"All"},
		}
		if operation != "delete" {
			w[hostabi.TagBodyHandle] = []string{"6"}
		}
		want = append(want, w)
	}
	said(t, h, want...)
}

// TestPass: what a backend has answered goes through where a handler says so, and nowhere else.
func TestPass(t *testing.T) {
	conflict := &CallError{Code: hostabi.Conflict, Status: 409, Reason: "changed", Data: Data{1, 5}}
	for name, c := range map[string]struct {
		err    error
		kind   string
		status uint32 // of response_error; 0: the answer is the handler's
		body   string
	}{
		"Kubernetes' Status": {Pass(conflict), "Status", 0, "<5>"},
		"wrapped":            {Pass(errors.Join(errors.New("x"), conflict)), "Status", 0, "<5>"},
		"not marked":         {conflict, "Status", 409, ""},
		"not a Status":       {Pass(conflict), "Pod", 409, ""},
		"no answer":          {Pass(&CallError{Code: hostabi.Denied, Status: 403, Reason: "no"}), "Status", 403, ""},
		"no status":          {Pass(&CallError{Code: hostabi.Busy, Data: Data{1, 5}}), "Status", 503, ""},
		"no call":            {Pass(Fail(418, "x")), "Status", 418, ""},
		"too many failed attempts": {
			Pass(&CallError{Code: hostabi.Unavailable, Status: 429, Reason: "retry after 7 s: x"}), "", 0,
			`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"retry after 7 s: x","reason":"TooManyRequests","code":429}`,
		},
	} {
		h := &host{values: map[string]string{"/kind": c.kind}}
		h.during(func(ex uint32) {
			w := &Response{ex: ex}
			var call *CallError
			if errors.As(c.err, &call) {
				call.Data.ex = ex
			}
			w.fail(c.err)
		})
		if h.status != c.status || h.body.String() != c.body {
			t.Errorf("%s: status %d, %s", name, h.status, h.body.String())
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]int{"retry after 30 s: too many": 30, "retry after x s": 0, "retry later": 0, "": 0} {
		if got := (&CallError{Status: 429, Reason: text}).RetryAfter(); got != want {
			t.Errorf("%q: %d", text, got)
		}
	}
	if got := (&CallError{Status: 503, Reason: "retry after 30 s"}).RetryAfter(); got != 0 {
		t.Error(got)
	}
}
