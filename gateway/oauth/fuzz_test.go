package oauth

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParams: whatever is taken, Go's own parser reads alike, and nothing is there twice.
func FuzzParams(f *testing.F) {
	for _, text := range []string{"", "a=b&c=d", "a=b&a=c", "a=%zz", "a=%00", "=x", "&&&", "a=b;c=d", "a+b=c%20d", "a", "%61=1&a=2", "a=%ff", strings.Repeat("a=b&", 70)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseParams(text)
		if err != nil {
			return
		}
		if len(p) > maxParams {
			t.Fatalf("%d parameters", len(p))
		}
		v, err := url.ParseQuery(text)
		for key, value := range p {
			if value == "" || !utf8.ValidString(key+value) || strings.ContainsFunc(key+value, control) {
				t.Errorf("%q: %q", key, value)
			}
			if err == nil && (len(v[key]) != 1 || v[key][0] != value) {
				t.Errorf("%q: %q here, %q there", key, value, v[key])
			}
		}
	})
}

// FuzzRedirect: a client with an address on loopback and one elsewhere sends people to these and nowhere else.
func FuzzRedirect(f *testing.F) {
	c := &Client{RedirectURIs: []string{"http://127.0.0.1/cb", "https://console.example.com/cb"}}
	for _, uri := range append(c.RedirectURIs, "", "*", "http://127.0.0.1:80/cb", "http://127.0.0.1:80@evil/cb", "http://127.0.0.1.evil/cb", "http://127.0.0.1:99999/cb", "http://127.0.0.1:1/cb#x", "//127.0.0.1/cb") {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		to, ok := c.redirectTo(uri)
		if !ok || uri == "" {
			return
		}
		u, err := url.Parse(to)
		if err != nil || u.User != nil || u.Fragment != "" || u.Path != "/cb" || u.RawQuery != "" ||
			u.Host != "console.example.com" && u.Hostname() != "127.0.0.1" {
			t.Errorf("%q leads to %q", uri, to)
		}
	})
}

// FuzzBasic: what is taken is what it was made of.
func FuzzBasic(f *testing.F) {
	for _, text := range []string{"a:b", "a%3Ab:c+d", ":", "a", "%zz:b", "a:\x00"} {
		f.Add([]byte(base64.StdEncoding.EncodeToString([]byte(text))))
	}
	f.Add([]byte("!"))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		name, secret, err := decodeBasic(encoded)
		if err != nil {
			return
		}
		again, other, err := decodeBasic([]byte(base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(name) + ":" + url.QueryEscape(secret)))))
		if err != nil || again != name || other != secret {
			t.Errorf("%q, %q became %q, %q: %v", name, secret, again, other, err)
		}
	})
}

// FuzzPage: no text ends a tag, an attribute or a page.
func FuzzPage(f *testing.F) {
	f.Add(`"><script>`, "'&`")
	f.Fuzz(func(t *testing.T, text, value string) {
		h := new(html)
		h.element("p", text, "title", value)
		got := h.b.String()
		if strings.Count(got, "<") != 2 || strings.Count(got, ">") != 2 || strings.Count(got, `"`) != 2 || strings.ContainsAny(got, "'`") {
			t.Errorf("%q", got)
		}
	})
}

// FuzzHint: the time of a token that nobody has verified is never in the future.
func FuzzHint(f *testing.F) {
	f.Add("a." + base64.RawURLEncoding.EncodeToString([]byte(`{"iat":1}`)) + ".c")
	f.Add("a." + base64.RawURLEncoding.EncodeToString([]byte(`{"iat":1e30}`)) + ".c")
	f.Add("..")
	s := New(Options{})
	f.Fuzz(func(t *testing.T, text string) {
		if issuedAt(text).Unix() <= 0 {
			t.Errorf("%q", text)
		}
		if c, fault := s.hint(text); c != nil || text != "" && fault == nil {
			t.Errorf("%q is a hint: %+v", text, c)
		}
	})
}

func TestChallenge(t *testing.T) {
	// Of RFC 7636, appendix B.
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	for _, c := range []struct {
		challenge, verifier string
		want                bool
	}{
		{challenge, verifier, true},
		{"", "", true},
		{challenge, "", false},
		{"", verifier, false},
		{challenge, verifier[:42], false},
		{challenge, verifier + strings.Repeat("a", 100), false},
		{challenge, strings.Repeat("a", 43), false},
		{challenge, verifier[:42] + "!", false},
		{challenge, challenge, false},
	} {
		if got := verified(c.challenge, c.verifier); got != c.want {
			t.Errorf("%q, %q: %v", c.challenge, c.verifier, got)
		}
	}
	for text, want := range map[string]bool{challenge: true, challenge[:42]: false, challenge + "=": false, "": false, challenge[:42] + "+": false} {
		if goodChallenge(text) != want {
			t.Errorf("%q", text)
		}
	}
}
