package cas

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/idp"
)

// Answers as the protocol's specification shows them, appendix A.
const (
	good = `<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">
 <cas:authenticationSuccess>
  <cas:user>username</cas:user>
  <cas:proxyGrantingTicket>PGTIOU-84678-8a9d...</cas:proxyGrantingTicket>
 </cas:authenticationSuccess>
</cas:serviceResponse>`
	attributed = `<?xml version="1.0" encoding="UTF-8"?>
<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas"><cas:authenticationSuccess><cas:user>username</cas:user>
 <cas:attributes><cas:displayName>John Doe</cas:displayName><cas:email>jdoe@example.org</cas:email>
 <cas:affiliation>staff</cas:affiliation><cas:affiliation>faculty</cas:affiliation></cas:attributes></cas:authenticationSuccess></cas:serviceResponse>`
	bad = `<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas"><cas:authenticationFailure code="INVALID_TICKET">
    Ticket ST-1856339-aA5Yuvrxzpv8Tau1cYQ7 not recognized</cas:authenticationFailure></cas:serviceResponse>`
)

const service = "https://postern.example/oauth/callback/cas"

// login visits a server that answers in the protocol's shapes; there is none to run here. It knows one ticket for one service.
func login(t *testing.T, protocol int, text, options string, callback url.Values, v idp.Visit) (idp.Identity, error) {
	t.Helper()
	path := map[int]string{2: "/cas/serviceValidate", 3: "/cas/p3/serviceValidate"}[protocol]
	want := ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != path:
			w.WriteHeader(http.StatusNotFound)
		case r.FormValue("ticket") != "ST-1" || r.FormValue("service") != want:
			_, _ = w.Write([]byte(bad))
		default:
			_, _ = w.Write([]byte(text))
		}
	}))
	defer s.Close()
	p, err := Type.New(json.RawMessage(`{"casServerURL":"` + s.URL + `/cas/"` + options + `}`))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	to, err := p.(idp.OAuthProvider).AuthorizeURL(ctx, v)
	u, _ := url.Parse(to)
	if err != nil || !strings.HasPrefix(to, s.URL+"/cas/login?service=") {
		t.Errorf("the browser goes to %s, %v", to, err)
	}
	want = u.Query().Get("service")
	if v.State != "" && want != service+"?state="+v.State {
		t.Errorf("the browser comes back to %s", want)
	}
	return p.(idp.OAuthProvider).Exchange(ctx, v, callback)
}

func TestCAS(t *testing.T) {
	visit := idp.Visit{State: "xyz", Redirect: service}
	ticket := url.Values{"ticket": {"ST-1"}, "state": {"xyz"}}
	id, err := login(t, 2, good, "", ticket, visit)
	if err != nil || !reflect.DeepEqual(id, idp.Identity{UID: "username", Name: "username"}) {
		t.Errorf("%+v, %v", id, err)
	}
	id, err = login(t, 2, good, `,"redirectURL":"https://console.example/redirect"`, ticket, idp.Visit{Redirect: service})
	if err != nil || id.UID != "username" {
		t.Errorf("begun elsewhere: %+v, %v", id, err)
	}
	id, err = login(t, 3, attributed, `,"protocol":3,"mailAttribute":"email","displayNameAttribute":"displayName","groupAttribute":"affiliation"`, ticket, visit)
	want := idp.Identity{UID: "username", Name: "username", Email: "jdoe@example.org", DisplayName: "John Doe", Groups: []string{"staff", "faculty"}}
	if err != nil || !reflect.DeepEqual(id, want) {
		t.Errorf("%+v, %v", id, err)
	}
	for what, callback := range map[string]url.Values{
		"another ticket": {"ticket": {"ST-2"}}, "no ticket": {}, "two tickets": {"ticket": {"ST-1", "ST-1"}}, "long ticket": {"ticket": {strings.Repeat("x", 2000)}},
	} {
		if id, err := login(t, 2, good, "", callback, visit); !errors.Is(err, idp.ErrRefused) || id.UID != "" {
			t.Errorf("%s: %+v, %v", what, id, err)
		}
	}
}

func TestOptions(t *testing.T) {
	for options, key := range map[string]string{
		`{}`:                     "casServerURL",
		`{"casServerURL":"cas"}`: "casServerURL",
		`{"casServerURL":"https://cas.example","redirectURL":"x"}`:       "redirectURL",
		`{"casServerURL":"https://cas.example","protocol":1}`:            "protocol",
		`{"casServerURL":"https://cas.example","mailAttribute":"email"}`: "protocol",
		`{"casServerURL":"https://cas.example","clientID":"x"}`:          "clientID",
	} {
		var wrong *idp.OptionError
		if _, err := Type.New(json.RawMessage(options)); !errors.As(err, &wrong) || wrong.Key != key {
			t.Errorf("%s: %v", options, err)
		}
	}
}
