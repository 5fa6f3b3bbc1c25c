package headers

import (
	"io"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/filter/filtertest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

const both = `{"request":{"remove":["X-Old"],"set":{"X-Who":"{user} from {client}"},"add":{"X-More":"{{{requestId}}"}},
	"response":{"remove":["Server"],"set":{"X-In":"{namespace}","Content-Type":"text/x"},"add":{"X-More":"b"}}}`

func TestEdits(t *testing.T) {
	f := filtertest.New(t, Kind, both)
	for _, streamed := range []bool{false, true} {
		ctx := filtertest.Do(f, filtertest.Request{
			User: &exchange.User{Name: "a\r\nEvil: 1"}, Header: map[string]string{"X-Old": "1", "X-Who": "me", "X-More": "a"},
			Info: func(i *exchange.RequestInfo) { i.Namespace = "n\nü%" },
		}, func(x *exchange.Exchange) {
			h := &x.HTTP.Request.Header
			if got := string(h.Peek("X-Who")); got != "a%0D%0AEvil: 1 from 192.0.2.1" || h.Peek("X-Old") != nil {
				t.Errorf("the backend sees %q, %q", got, h.Peek("X-Old"))
			}
			if all := h.PeekAll("X-More"); len(all) != 2 || string(all[1]) != "{id}" {
				t.Errorf("added: %q", all)
			}
			if !strings.Contains(string(x.HeaderLines()), "X-Who: a%0D%0AEvil") {
				t.Errorf("backends are sent %q", x.HeaderLines())
			}
			x.HTTP.Response.Header.Set("Server", "backend")
			x.HTTP.Response.Header.Set("X-More", "a")
			if streamed {
				x.StreamBody(io.NopCloser(strings.NewReader("ok")), 2)
			}
		})
		h := &ctx.Response.Header
		if string(h.Peek("X-In")) != "n%0A%C3%BC%25" || string(h.ContentType()) != "text/x" || string(h.Server()) != "" || len(h.PeekAll("X-More")) != 2 {
			t.Errorf("streamed %v: the client sees\n%s", streamed, h)
		}
		ctx.Response.Reset()
	}
}

func TestWrong(t *testing.T) {
	for settings, want := range map[string]string{
		`{}`: "needs request or response",
		`{"request":{"set":{"Authorization":"x"}}}`:                 "request.set.Authorization: header Authorization is",
		`{"request":{"remove":["impersonate-user"]}}`:               "request.remove: header impersonate-user is",
		`{"request":{"add":{"X-Remote-Group":"x"}}}`:                "request.add.X-Remote-Group: ",
		`{"response":{"set":{"Transfer-Encoding":"x"}}}`:            "response.set.Transfer-Encoding: ",
		`{"response":{"remove":["Connection"]}}`:                    "response.remove: ",
		`{"response":{"set":{"a b":"x"}}}`:                          `response.set.a b: "a b" is no header's name`,
		`{"response":{"set":{"a":"x\ny"}}}`:                         "response.set.a: ",
		`{"response":{"set":{"a":"{nothing}"}}}`:                    "response.set.a: there is no placeholder {nothing",
		`{"response":{"set":{"a":"{user"}}}`:                        "response.set.a: there is no placeholder {user",
		`{"response":{"set":{"x":"1"}},"request":{"sets":{"x":1}}}`: `there is no setting "sets"`,
	} {
		filtertest.Refused(t, Kind, filter.BeforeDispatch, settings, want)
	}
	filtertest.Refused(t, Kind, filter.BeforeAuthentication, `{"request":{"set":{"a":"{user}"}}}`, "request.set.a: before authentication")
}

func FuzzTemplate(f *testing.F) {
	f.Add("a {user} {{b}", "alice")
	f.Add("{", "\r\n")
	f.Fuzz(func(t *testing.T, text, name string) {
		v, _, err := parse(text)
		if err != nil {
			return
		}
		b := v.append(nil, &exchange.Exchange{User: &exchange.User{Name: name}, ID: name, HTTP: new(fasthttp.RequestCtx), Info: exchange.RequestInfo{Namespace: name}})
		if !validValue(string(b)) {
			t.Errorf("%q with %q gives %q", text, name, b)
		}
	})
}
