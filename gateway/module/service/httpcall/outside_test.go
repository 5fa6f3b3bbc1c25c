package httpcall

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// reach makes a service that trusts an HTTPS server, and a call to an address of it.
func reach(t *testing.T, h http.HandlerFunc) (s *Service, host string) {
	t.Helper()
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	s, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	for _, transport := range []*http.Transport{s.outside.public, s.outside.private} {
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return s, strings.TrimPrefix(server.URL, "https://")
}

func outsideCall(hosts []string, private bool, tagsAndValues ...any) *service.Call {
	call := callOf(tagsAndValues...)
	call.Grants = &service.Grants{Hosts: hosts, PrivateHosts: private}
	return call
}

func TestOutside(t *testing.T) {
	s, host := reach(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			http.Redirect(w, r, "https://10.0.0.1/", http.StatusFound)
			return
		}
		fmt.Fprintf(w, "%s %s %s %q", r.Method, r.RequestURI, r.Header.Get("X-Test"), r.Header.Get("X-Request-Id"))
	})
	got := s.Do(t.Context(), outsideCall([]string{host}, true, hostabi.TagURL, "https://"+host+"/a%2Fb?x=1", hostabi.TagHeader, "X-Test: v"))
	if want := `GET /a%2Fb?x=1 v ""`; got.Code != hostabi.OK || got.Status != 200 || string(got.Body) != want {
		t.Errorf("%+v %s, want %s", got, got.Body, want)
	}
	if got := s.Do(t.Context(), outsideCall([]string{host}, true, hostabi.TagURL, "https://"+host+"/elsewhere")); got.Status != 302 {
		t.Errorf("a redirect is followed: %+v", got)
	}
	// The same server has an address of this machine, which only privateHosts opens.
	if got := s.Do(t.Context(), outsideCall([]string{host}, false, hostabi.TagURL, "https://"+host+"/")); got.Code != hostabi.Denied || !strings.Contains(got.Err, "privateHosts") {
		t.Errorf("%+v", got)
	}
	if got := s.Do(t.Context(), outsideCall([]string{"other.example.com", "*.example.com"}, true, hostabi.TagURL, "https://"+host+"/")); got.Code != hostabi.Denied {
		t.Errorf("a host that is not granted: %+v", got)
	}
	if got := s.Do(t.Context(), &service.Call{Record: callOf(hostabi.TagURL, "https://"+host+"/").Record}); got.Code != hostabi.Denied {
		t.Errorf("no grants: %+v", got)
	}
}

func TestOutsideRefusesCrookedAddresses(t *testing.T) {
	s, host := reach(t, func(http.ResponseWriter, *http.Request) { t.Error("asked") })
	for _, address := range []string{
		"", "/x", "http://" + host, "ftp://" + host, "https://", "https:///x", "https://user:pw@" + host, "https://" + host + "/a b", "https:" + host,
		"https://" + host + "\r\n/", "https://" + host + "/#x", "https://%zz/",
	} {
		got := s.Do(t.Context(), outsideCall([]string{host, "*"}, false, hostabi.TagURL, address))
		if got.Code != hostabi.BadArgument || strings.Contains(got.Err, "pw@") {
			t.Errorf("%q: %+v", address, got)
		}
	}
	call := outsideCall([]string{host}, true, hostabi.TagURL, "https://"+host+"/", hostabi.TagBackend, "b")
	if got := s.Do(t.Context(), call); got.Code != hostabi.BadArgument {
		t.Errorf("an address and a backend: %+v", got)
	}
}

func TestHostGranted(t *testing.T) {
	for host, want := range map[string]bool{
		"api.example.com": true, "API.example.com": false, "a.b.example.org": true, "example.org": false, "evil-example.org": false,
		"api.example.com:444": false, "x.example.net:8443": true, "x.example.net": false,
	} {
		if got := hostGranted([]string{"api.example.com", "*.example.org", "*.Example.net:8443"}, host); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"1.1.1.1": true, "2606:4700::1": true,
		"127.0.0.1": false, "::1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false,
		"0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false, "fd00::1": false, "fe80::1": false, "64:ff9b::a00:1": false, "2002:a00:1::": false,
	} {
		if got := public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if err := publicOnly("tcp", "[::ffff:127.0.0.1]:443", nil); err == nil {
		t.Error("an IPv4 address of this machine in IPv6's clothes is let through")
	}
}
