package admin

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
)

// guard keeps out what is not an operator: pages in an operator's browser, and who has no token where one is needed.
type guard struct {
	token string
	local bool // the listener is on loopback: reading is free
	name  string
}

// newGuard makes the guard of a listener at address, host:port.
func newGuard(token, address string) *guard {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip, err := netip.ParseAddr(host)
	return &guard{token: token, local: host == "localhost" || err == nil && ip.IsLoopback(), name: host}
}

// read lets who may look pass.
func (g *guard) read(next http.HandlerFunc) http.HandlerFunc {
	return g.open(func(w http.ResponseWriter, r *http.Request) {
		if !g.local && !bears(r, g.token) {
			g.refuse(w)
			return
		}
		next(w, r)
	})
}

// write lets who may change something pass.
func (g *guard) write(next http.HandlerFunc) http.HandlerFunc {
	return g.open(func(w http.ResponseWriter, r *http.Request) {
		if !bears(r, g.token) {
			g.refuse(w)
			return
		}
		next(w, r)
	})
}

// open lets everybody pass but pages in a browser.
func (g *guard) open(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if g.foreign(r) {
			fail(w, http.StatusForbidden, "Forbidden", "requests of web pages are not answered here")
			return
		}
		next(w, r)
	}
}

func (g *guard) refuse(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="postern-admin"`)
	why := "this needs the bearer token of the gateway's operators: postern.admin.tokenFile"
	if g.token == "" {
		why = "this needs a token, and the gateway has none: set postern.admin.tokenFile"
	}
	fail(w, http.StatusUnauthorized, "Unauthorized", why)
}

// foreign says whether a page of another site sent the request, by what browsers add to it; or whether it came here by the
// name of such a site, which has taken the listener's address for its own (DNS rebinding). Where there is a token for
// everything, any name is fine: a page does not know it.
func (g *guard) foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return true
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Host != r.Host {
			return true
		}
	}
	return g.local && !g.known(r.Host)
}

// known says whether a Host header names this machine: by address, as localhost, or as configured.
func (g *guard) known(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	} else if n := len(host); n > 2 && host[0] == '[' && host[n-1] == ']' {
		name = host[1 : n-1]
	}
	_, err := netip.ParseAddr(name)
	return err == nil || name == "localhost" || name == g.name
}
