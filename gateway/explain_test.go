package gateway

import (
	"testing"

	"github.com/posternhq/postern/gateway/core"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/requestinfo"
)

// witness passes on, and remembers whom it saw.
type witness struct{ saw string }

func (*witness) Name() string { return "witness" }

func (*witness) Serve(x *exchange.Exchange, next exchange.Handler) {
	panic("explaining must not serve")
}

func (w *witness) Explain(x *exchange.Exchange) exchange.Finding {
	w.saw = x.Info.Verb + " " + x.Info.Path
	if x.User != nil {
		w.saw = x.User.Name + " " + w.saw
	}
	return exchange.Finding{Stage: "witness", Verdict: exchange.Pass}
}

func TestExplainStages(t *testing.T) {
	for _, c := range []struct {
		request ExplainRequest
		user    *exchange.User
		saw     string
		stages  int
		last    exchange.Verdict
		code    int
	}{
		{ExplainRequest{Method: "get", Path: "/healthz?verbose"}, nil, "get /healthz", 3, exchange.Answer, 0},
		{ExplainRequest{Method: "POST", Path: "/healthz"}, &exchange.User{Name: "alice"}, "alice post /healthz", 3, exchange.Refuse, 405},
		{ExplainRequest{Method: "GET", Path: "/api/v1/watch"}, nil, "", 1, exchange.Refuse, 400},
		{ExplainRequest{Method: "GET", Path: "//api/../v1"}, nil, "", 1, exchange.Refuse, 400},
	} {
		w := &witness{}
		findings, info := ExplainStages([]exchange.Stage{requestinfo.New(), w, core.New(core.Options{})}, c.request, c.user)
		if len(findings) != c.stages {
			t.Errorf("%+v: findings %+v", c.request, findings)
			continue
		}
		if last := findings[len(findings)-1]; last.Verdict != c.last || last.Code != c.code || w.saw != c.saw {
			t.Errorf("%+v: saw %q, last finding %+v", c.request, w.saw, last)
		}
		if c.saw != "" && info.Path != "/healthz" {
			t.Errorf("%+v: info %+v", c.request, info)
		}
	}
}
