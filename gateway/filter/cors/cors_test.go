package cors

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/filter/filtertest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

const console = "https://console.example.com"

// preflight are the headers of one.
func preflight(origin, method, headers string) filtertest.Request {
	r := filtertest.Request{Method: "OPTIONS", Path: "/api/v1/pods", Header: map[string]string{"Origin": origin, "Access-Control-Request-Method": method}}
	if headers != "" {
		r.Header["Access-Control-Request-Headers"] = headers
	}
	return r
}

func TestPreflight(t *testing.T) {
	named := `{"origins":["` + console + `","https://*.dev.example.com"],"credentials":true,"headers":["Authorization","X-Y"],"maxAge":"1h"}`
	for _, c := range []struct {
		settings string
		request  filtertest.Request
		code     int
		origin   string
	}{
		{named, preflight(console, "DELETE", "authorization, x-y"), 204, console},
		{named, preflight("https://a.b.dev.example.com", "GET", ""), 204, "https://a.b.dev.example.com"},
		{named, preflight("https://dev.example.com", "GET", ""), 403, ""},
		{named, preflight("https://evil.example/.dev.example.com", "GET", ""), 403, ""},
		{named, preflight("https://evil.example", "GET", ""), 403, ""},
		{named, preflight("null", "GET", ""), 403, ""},
		{named, preflight(console, "PURGE", ""), 403, ""},
		{named, preflight(console, "GET", "X-Other"), 403, ""},
		{`{"origins":["*"]}`, preflight("https://any.example", "GET", ""), 204, "*"},
		{`{"origins":["*"],"headers":["*"]}`, preflight("https://any.example", "GET", "x-a,x-b"), 204, "*"},
		{`{"originPatterns":["https://pr-[0-9]+\\.example\\.com"]}`, preflight("https://pr-17.example.com", "GET", ""), 204, "https://pr-17.example.com"},
		{`{"originPatterns":["https://pr-[0-9]+\\.example\\.com"]}`, preflight("https://pr-17.example.com.evil", "GET", ""), 403, ""},
	} {
		f := filtertest.New(t, Kind, c.settings)
		ctx := filtertest.Do(f, c.request, func(*exchange.Exchange) { t.Error("a preflight was passed on") })
		h := &ctx.Response.Header
		if ctx.Response.StatusCode() != c.code || string(h.Peek("Access-Control-Allow-Origin")) != c.origin {
			t.Errorf("%s, %v: %d for %q", c.settings, c.request.Header, ctx.Response.StatusCode(), h.Peek("Access-Control-Allow-Origin"))
		}
		if all := h.PeekAll("Vary"); len(all) < 2 || c.origin != "*" && c.code == 204 && string(all[0]) != "Origin" {
			t.Errorf("%s: Vary %q", c.settings, all)
		}
		if c.settings == named && c.code == 204 {
			if string(h.Peek("Access-Control-Max-Age")) != "3600" || string(h.Peek("Access-Control-Allow-Credentials")) != "true" || string(h.Peek("Access-Control-Allow-Headers")) != "Authorization, X-Y" {
				t.Errorf("%s", h)
			}
		}
		if strings.Contains(c.settings, `"headers":["*"]`) && string(h.Peek("Access-Control-Allow-Headers")) != "x-a,x-b" {
			t.Errorf("headers: %q", h.Peek("Access-Control-Allow-Headers"))
		}
	}
}

func TestRequests(t *testing.T) {
	f := filtertest.New(t, Kind, `{"origins":["`+console+`"],"credentials":true,"exposeHeaders":["X-Request-Id"]}`)
	backend := func(x *exchange.Exchange) {
		x.HTTP.Response.Header.Set("Access-Control-Allow-Origin", "*")
		x.HTTP.Response.Header.Set("Vary", "Accept")
	}
	for origin, allowed := range map[string]bool{console: true, "https://evil.example": false, "": false} {
		r := filtertest.Request{}
		if origin != "" {
			r.Header = map[string]string{"Origin": origin}
		}
		h := &filtertest.Do(f, r, backend).Response.Header
		want, expose, credentials := "", "", ""
		if allowed {
			want, expose, credentials = console, "X-Request-Id", "true"
		}
		if string(h.Peek("Access-Control-Allow-Origin")) != want || string(h.Peek("Access-Control-Expose-Headers")) != expose || string(h.Peek("Access-Control-Allow-Credentials")) != credentials {
			t.Errorf("%q: %s", origin, h)
		}
		if all := h.PeekAll("Vary"); len(all) != 2 || string(all[1]) != "Origin" {
			t.Errorf("%q: Vary %q", origin, all)
		}
	}
	passed := false // OPTIONS without the marks of a preflight is a request like others
	filtertest.Do(f, filtertest.Request{Method: "OPTIONS", Header: map[string]string{"Origin": console}}, func(*exchange.Exchange) { passed = true })
	if !passed {
		t.Error("OPTIONS was not passed on")
	}
}

func TestWrong(t *testing.T) {
	for settings, want := range map[string]string{
		`{}`:                                   "origins: needs",
		`{"origins":["*"],"credentials":true}`: `origins[0]: "*" with credentials`,
		`{"origins":["null"],"credentials":true}`:                `origins[0]: "null" with credentials`,
		`{"originPatterns":[".*"],"credentials":true}`:           `originPatterns[0]: ".*" with credentials`,
		`{"originPatterns":["https://.*|b"],"credentials":true}`: "originPatterns[0]: ",
		`{"originPatterns":["("]}`:                               "originPatterns[0]: cannot parse",
		`{"origins":["console.example.com"]}`:                    "origins[0]: want an origin",
		`{"origins":["https://a.example/"]}`:                     "origins[0]: want an origin",
		`{"origins":["https://a.*.example"]}`:                    "origins[0]: want an origin",
		`{"origins":["https://A.example"]}`:                      "origins[0]: want an origin",
		`{"origins":["*"],"methods":["GET, PUT"]}`:               "methods[0]: ",
		`{"origins":["*"],"maxAge":"-1s"}`:                       "maxAge: ",
	} {
		filtertest.Refused(t, Kind, filter.BeforeAuthentication, settings, want)
	}
}

func FuzzOrigin(f *testing.F) {
	o, err := newOrigins([]string{console, "https://*.dev.example.com"}, nil, true)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("https://a.dev.example.com")
	f.Add("https://evil/.dev.example.com")
	f.Fuzz(func(t *testing.T, origin string) {
		if o.allows(origin) && origin != console && (!strings.HasPrefix(origin, "https://") || !strings.HasSuffix(origin, ".dev.example.com") || strings.ContainsAny(origin[8:], "/:@?#\r\n ")) {
			t.Errorf("%q is allowed", origin)
		}
	})
}
