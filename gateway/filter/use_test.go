package filter

import (
	"io"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/posternhq/postern/gateway/exchange"
)

func TestOutcomes(t *testing.T) {
	p := new(probes)
	o, _ := testOptions(p.kind())
	for _, c := range []struct {
		do                         string
		code                       int
		passed, answered, panicked float64
	}{{"pass", 200, 1, 0, 0}, {"answer", 418, 0, 1, 0}, {"panic", 500, 0, 0, 1}, {"panicAfter", 500, 0, 0, 1}} {
		s := mustSet(t, []Spec{spec("outer", "pass"), spec(c.do, c.do)}, nil, o)
		served := link(s.At(BeforeDispatch), func(x *exchange.Exchange) {
			x.StreamBody(io.NopCloser(strings.NewReader("body")), 4)
			x.Handled = "last"
		})
		handled := ""
		ctx := request("/", func(x *exchange.Exchange) { served(x); handled = x.Handled })
		if ctx.Response.StatusCode() != c.code || string(ctx.Response.Header.Peek("X-Probe")) != "pass" && c.code == 200 {
			t.Errorf("%s: %d", c.do, ctx.Response.StatusCode())
		}
		if want := map[bool]string{true: "last", false: "filter/" + c.do}[c.code == 200]; handled != want {
			t.Errorf("%s: handled by %q", c.do, handled)
		}
		got := o.Metrics.outcomes(s.uses[1].spec)
		if a, b, c2 := testutil.ToFloat64(got.passed), testutil.ToFloat64(got.answered), testutil.ToFloat64(got.panicked); a != c.passed && c.do != "pass" || b != c.answered || c2 != c.panicked {
			t.Errorf("%s: counted %v %v %v", c.do, a, b, c2)
		}
		s.Retire()
	}
}

// TestForeignPanic has what is behind a filter panic: that goes on to whoever guards the connection.
func TestForeignPanic(t *testing.T) {
	o, _ := testOptions(new(probes).kind())
	s := mustSet(t, []Spec{spec("a", "pass"), spec("b", "pass")}, nil, o)
	defer s.Retire()
	defer func() {
		if r := recover(); r != "behind" {
			t.Errorf("recovered %v", r)
		}
		if n := testutil.ToFloat64(o.Metrics.outcomes(s.uses[0].spec).panicked); n != 0 {
			t.Errorf("%v panics are counted as the filter's", n)
		}
	}()
	request("/", link(s.At(BeforeDispatch), func(*exchange.Exchange) { panic("behind") }))
}

func TestSeesOnlyWhatMatches(t *testing.T) {
	o, _ := testOptions(new(probes).kind())
	one := spec("one", "answer")
	one.Match.Paths, one.Except.Paths = []string{"/a/*"}, []string{"/a/free"}
	s := mustSet(t, []Spec{one}, nil, o)
	defer s.Retire()
	h := link(s.At(BeforeDispatch), func(*exchange.Exchange) {})
	for path, code := range map[string]int{"/a/b": 418, "/a/free": 200, "/b": 200} {
		if got := request(path, h).Response.StatusCode(); got != code {
			t.Errorf("%s: %d", path, got)
		}
		request(path, func(x *exchange.Exchange) {
			f := s.At(BeforeDispatch)[0].Explain(x)
			if seen := f.Reason == "probe: "; seen != (code == 418) || f.Stage != "filter/one" || f.Verdict != exchange.Pass {
				t.Errorf("%s: explained as %+v", path, f)
			}
		})
	}
}

func TestUseAllocatesNothing(t *testing.T) {
	o, _ := testOptions(new(probes).kind())
	s := mustSet(t, []Spec{spec("one", "pass")}, nil, o)
	defer s.Retire()
	h := link(s.At(BeforeDispatch), func(*exchange.Exchange) {})
	request("/", func(x *exchange.Exchange) {
		x.HTTP.Response.Header.Set("X-Probe", "pass")
		if n := testing.AllocsPerRun(100, func() { h(x) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
