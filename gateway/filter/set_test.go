package filter

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/posternhq/postern/gateway/exchange"
)

func spec(name, do string) Spec {
	return Spec{Name: name, Kind: "probe", Settings: json.RawMessage(`{"do":"` + do + `"}`)}
}

func TestTakeOver(t *testing.T) {
	p := new(probes)
	o, registry := testOptions(p.kind())
	first := mustSet(t, []Spec{spec("same", "a"), spec("other", "b"), spec("gone", "c")}, nil, o)
	first.Use()
	same := spec("same", "a")
	same.Match.Methods = []string{"GET"} // what it sees is not what it is
	second := mustSet(t, []Spec{spec("other", "B"), same}, first, o)
	if len(p.all) != 4 || second.uses[1].inst != first.uses[0].inst {
		t.Fatalf("%d filters made", len(p.all))
	}
	var pending exchange.Handler
	ctx := request("/", func(x *exchange.Exchange) {
		if !first.Acquire(x) {
			t.Fatal("not acquired")
		}
		second.Use()
		first.Retire()
		pending = link(first.At(BeforeDispatch), func(*exchange.Exchange) {})
		for i, f := range p.all {
			if f.closed.Load() {
				t.Errorf("filter %d is closed under a request", i)
			}
		}
		pending(x)
	})
	if ctx.Response.Header.Peek("X-Probe") == nil {
		t.Error("the old filters did not serve")
	}
	for i, closed := range []bool{false, true, true, false} {
		if p.all[i].closed.Load() != closed {
			t.Errorf("filter %d closed: %v", i, !closed)
		}
	}
	request("/", func(x *exchange.Exchange) {
		if first.Acquire(x) {
			t.Error("an ended set is acquired")
		}
	})
	if n, err := testutil.GatherAndCount(registry, "postern_filter_requests_total"); n != 6 || err != nil {
		t.Errorf("%d series, %v: those of a filter that is gone are left", n, err)
	}
	if n, err := testutil.GatherAndCount(registry, "postern_filter_state"); n != 2 || err != nil {
		t.Errorf("%d states, %v", n, err)
	}
	second.Retire()
	if !p.all[0].closed.Load() || !p.all[3].closed.Load() {
		t.Error("filters are left open")
	}
}

func TestWrong(t *testing.T) {
	p := new(probes)
	o, _ := testOptions(p.kind())
	kept := mustSet(t, []Spec{spec("kept", "a")}, nil, o)
	for _, c := range []struct {
		spec Spec
		want string
	}{
		{Spec{Name: "x", Kind: "nothing"}, "kind: there is no kind \"nothing\": want one of probe"},
		{Spec{Name: "x", Kind: "probe", Before: BeforeAnswer}, "before: probe does not work before answer"},
		{Spec{Name: "x", Kind: "probe", Before: BeforeAuthentication, Match: Rules{Users: []string{"a"}}}, "match: before authentication"},
		{Spec{Name: "x", Kind: "probe", Except: Rules{Paths: []string{"x"}}}, "except.paths[0]: want a path"},
		{spec("x", "fail"), "settings.do: cannot"},
		{Spec{Name: "x", Kind: "probe", Settings: json.RawMessage(`{"done":1}`)}, `settings: there is no setting "done"`},
		{Spec{Name: "x", Kind: "probe", Settings: json.RawMessage(`{"do":1}`)}, `settings.do: want string, have a number`},
	} {
		_, err := New([]Spec{spec("kept", "a"), c.spec}, kept, o)
		var at *SpecError
		if !errors.As(err, &at) || at.Index != 1 || !strings.HasPrefix(at.Err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
		if err := Check(c.spec, o); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("check: got %v, want %s", err, c.want)
		}
	}
	if p.all[0].closed.Load() {
		t.Error("a filter in use was closed by a configuration that failed")
	}
	kept.Retire()
	for i, f := range p.all {
		if !f.closed.Load() {
			t.Errorf("filter %d is left open", i)
		}
	}
}

// link is the chain of stages.
func link(stages []exchange.Stage, last exchange.Handler) exchange.Handler {
	for i := len(stages) - 1; i >= 0; i-- {
		last = stages[i].(*use).Link(last)
	}
	return last
}
