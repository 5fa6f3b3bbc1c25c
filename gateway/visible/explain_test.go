package visible

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/requestinfo"
)

func TestExplain(t *testing.T) {
	ann, nobody := &exchange.User{Name: "ann"}, &exchange.User{Name: "x", Groups: []string{"system:unauthenticated"}}
	for name, c := range map[string]struct {
		mode   Mode
		user   *exchange.User
		path   string
		grants []grant
		err    error
		answer bool
		says   string
	}{
		"off":              {Off, ann, "/api/v1/pods", inTwo, nil, false, "is off"},
		"no list":          {On, ann, "/api/v1/namespaces/a/pods", inTwo, nil, false, "not a list"},
		"nobody named":     {On, nil, "/api/v1/pods", inTwo, nil, false, "without a user"},
		"no credentials":   {On, nobody, "/api/v1/pods", inTwo, nil, false, "without credentials"},
		"roles unread":     {On, ann, "/api/v1/pods", inTwo, errors.New("x"), false, "all roles have been read"},
		"the whole":        {On, ann, "/api/v1/pods", []grant{{user: "ann", verbs: "list", resource: "pods"}}, nil, false, "the whole list"},
		"nothing":          {On, ann, "/api/v1/pods", nil, nil, false, "nothing of it"},
		"not shown":        {Tenancy, ann, "/api/v1/pods", inTwo, nil, false, "visiblelists.postern.dev"},
		"two namespaces":   {On, ann, "/api/v1/pods?watch=1", inTwo, nil, true, "namespaces: 2"},
		"namespaces, none": {Tenancy, ann, "/api/v1/namespaces", nil, nil, true, "answers with the part"},
	} {
		s := New(Options{Authorizer: &policy{grants: c.grants, err: c.err}, Names: newPolicy().names, Mode: c.mode, Shared: NewShared(nil)})
		x := &exchange.Exchange{HTTP: new(fasthttp.RequestCtx), User: c.user}
		x.HTTP.Request.SetRequestURI(c.path)
		if err := requestinfo.Fill(x); err != nil {
			t.Fatal(err)
		}
		f := s.Explain(x)
		if (f.Verdict == exchange.Answer) != c.answer || !strings.Contains(f.Reason, c.says) || f.Stage != "visible" {
			t.Errorf("%s: %+v", name, f)
		}
		if c.says == "namespaces: 2" && fmt.Sprint(f.Details["namespaces"]) != "[a-b a]" {
			t.Errorf("%s: %v", name, f.Details)
		}
	}
}
