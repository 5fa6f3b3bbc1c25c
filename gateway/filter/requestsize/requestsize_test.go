package requestsize

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/filter/filtertest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

func TestSize(t *testing.T) {
	f := filtertest.New(t, Kind, `{"max":"4B"}`)
	for body, code := range map[string]int{"": 200, "1234": 200, "12345": 413} {
		if got := filtertest.Do(f, filtertest.Request{Method: "POST", Body: body}, nil).Response.StatusCode(); got != code {
			t.Errorf("%q: %d", body, got)
		}
	}
	for before, after := range map[int64]int64{0: 4, 3: 3, 5: 4} { // the narrower bound counts
		filtertest.Do(f, filtertest.Request{}, func(x *exchange.Exchange) {
			x.MaxBody = before
			x.HTTP.Request.Header.SetContentLength(-1)
			f.Serve(x, func(*exchange.Exchange) {})
			if x.MaxBody != after || x.MaxRead != 4 {
				t.Errorf("%d becomes %d", before, x.MaxBody)
			}
			if n := testing.AllocsPerRun(100, func() { f.Serve(x, func(*exchange.Exchange) {}) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

func TestWrong(t *testing.T) {
	for settings, want := range map[string]string{
		``: "max: must", `{"max":0}`: "max: must", `{"max":"1 parsec"}`: `cannot parse "1 parsec" as size`, `{"max":-1}`: "cannot parse", `{"most":1}`: `there is no setting "most"`,
	} {
		filtertest.Refused(t, Kind, filter.BeforeDispatch, settings, want)
	}
}
