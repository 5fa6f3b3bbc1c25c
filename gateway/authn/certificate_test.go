package authn_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/exchange"
)

// conn is a TLS connection whose client has shown a certificate. That the listener verifies it is tested there.
type conn struct {
	net.Conn
	state tls.ConnectionState
}

func (c *conn) Handshake() error                     { return nil }
func (c *conn) ConnectionState() tls.ConnectionState { return c.state }
func (c *conn) RemoteAddr() net.Addr                 { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 7} }
func (c *conn) LocalAddr() net.Addr                  { return &net.TCPAddr{} }

func shown(leaf *x509.Certificate, verified bool) *conn {
	c := &conn{state: tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}}
	if verified {
		c.state.VerifiedChains = [][]*x509.Certificate{{leaf}}
	}
	return c
}

func leaf(name string, groups ...string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name, Organization: groups}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
}

// over sends a request over a connection.
func over(s *authn.Stage, c net.Conn, authorization string) (a answer) {
	ctx := new(fasthttp.RequestCtx)
	ctx.Init2(c, nil, false)
	if authorization != "" {
		ctx.Request.Header.Set("Authorization", authorization)
	}
	exchange.Run(ctx, nil, time.Now(), func(x *exchange.Exchange) {
		s.Serve(x, func(x *exchange.Exchange) { a.user = x.User })
		a.reason = x.Reason
	})
	a.resp = &ctx.Response
	return a
}

func TestCertificates(t *testing.T) {
	expired := leaf("carol")
	expired.NotAfter = time.Now().Add(-time.Second)
	for _, c := range []struct {
		name   string
		conn   *conn
		system bool
		user   string
		groups []string
		reason string
	}{
		{"a user", shown(leaf("carol", "ops", "postern:decided", "system:masters"), true), false, "carol", []string{"ops", "system:authenticated"}, ""},
		{"groups of Kubernetes", shown(leaf("carol", "system:masters", "postern:decided"), true), true, "carol", []string{"system:masters", "system:authenticated"}, ""},
		{"a name of Kubernetes", shown(leaf("system:admin"), true), false, "", nil, "name that it may have"},
		{"a name of Kubernetes that it may have", shown(leaf("system:admin"), true), true, "system:admin", []string{"system:authenticated"}, ""},
		{"no name", shown(leaf("", "ops"), true), true, "", nil, "name that it may have"},
		{"expired on the way", shown(expired, true), false, "", nil, "not valid any more"},
		{"a disabled user", shown(leaf("dora"), true), false, "", nil, "user is not active"},
		{"nobody has verified it", shown(leaf("carol"), false), false, "system:anonymous", []string{"system:unauthenticated"}, ""},
		{"none", &conn{}, false, "system:anonymous", []string{"system:unauthenticated"}, ""},
	} {
		o := options(people())
		o.Certificates = authn.Certificates{Enabled: true, System: c.system}
		s := authn.New(o)
		for range 2 {
			a := over(s, c.conn, "")
			if c.reason != "" {
				refused(t, a, c.reason)
			} else if a.user == nil || a.user.Name != c.user || !slices.Equal(a.user.Groups, c.groups) {
				t.Errorf("%s: %+v, %s", c.name, a.user, a.reason)
			}
		}
	}
}

// Whoever sends credentials means those.
func TestCredentialsComeBeforeTheCertificate(t *testing.T) {
	o := options(people())
	o.Certificates.Enabled = true
	s, c := authn.New(o), shown(leaf("carol"), true)
	if a := over(s, c, basicAuth("alice", "P@ss:word")); a.user == nil || a.user.Name != "alice" {
		t.Errorf("%+v, %s", a.user, a.reason)
	}
	refused(t, over(s, c, basicAuth("alice", "x")), "wrong user name")
	o.Certificates.Enabled = false
	if a := over(authn.New(o), c, ""); a.user == nil || a.user.Method != authn.Anonymous {
		t.Errorf("%+v", a.user)
	}
}

func TestADisabledUsersConnectionEnds(t *testing.T) {
	o := options(people())
	o.Certificates.Enabled = true
	s, c := authn.New(o), shown(leaf("alice"), true)
	if a := over(s, c, ""); a.user == nil || a.user.Method != authn.Certificate || a.user.UID != "u-1" {
		t.Fatalf("%+v, %s", a.user, a.reason)
	}
	u := o.Users.(*users)
	a := *u.Account("alice")
	a.State = account.Disabled
	u.put(a)
	refused(t, over(s, c, ""), "user is not active")
}
