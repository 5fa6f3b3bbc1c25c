// Package cors tells browsers which sites may use the API (Fetch Standard, CORS protocol).
package cors

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/status"
)

// Kind is cors. It stands before authentication and nowhere else: a preflight has no credentials.
var Kind = filter.Kind{
	Name: "cors", Positions: []filter.Position{filter.BeforeAuthentication}, Settings: new(settings), New: open,
}

type settings struct {
	Origins        []string        `json:"origins,omitempty" jsonschema:"description=as https://console.example.com\\, https://*.example.com\\, or *"`
	OriginPatterns []string        `json:"originPatterns,omitempty" jsonschema:"description=regular expressions of whole origins"`
	Methods        []string        `json:"methods,omitempty" jsonschema:"description=by default GET\\, HEAD\\, POST\\, PUT\\, PATCH\\, DELETE"`
	Headers        []string        `json:"headers,omitempty" jsonschema:"description=request headers beyond the simple ones; * is whatever is asked for; by default Authorization and Content-Type"`
	ExposeHeaders  []string        `json:"exposeHeaders,omitempty" jsonschema:"description=response headers that scripts may read"`
	Credentials    bool            `json:"credentials,omitempty" jsonschema:"description=cookies and Authorization may be sent; not with origin *"`
	MaxAge         filter.Duration `json:"maxAge,omitempty" jsonschema:"type=string,default=10m,description=how long a browser may remember a preflight's answer"`
}

// Filter is one policy; its values are made once.
type Filter struct {
	origins          origins
	methods          []string
	headers          []string // lower case
	anyHeader        bool
	credentials      bool
	allowMethods     string
	allowHeaders     string
	expose, maxAge   string
	preflights, deny prometheus.Counter
}

var (
	_ filter.Filter    = (*Filter)(nil)
	_ filter.Explainer = (*Filter)(nil)
)

func open(raw json.RawMessage, env filter.Env) (filter.Filter, error) {
	s := settings{
		Methods: []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}, Headers: []string{"Authorization", "Content-Type"},
		MaxAge: filter.Duration(10 * time.Minute),
	}
	if err := filter.Decode(raw, &s); err != nil {
		return nil, err
	}
	if len(s.Origins)+len(s.OriginPatterns) == 0 {
		return nil, filter.Wrong("origins", "needs at least one, here or in originPatterns")
	}
	f := &Filter{credentials: s.Credentials, preflights: env.Event("preflight"), deny: env.Event("refused")}
	var err error
	if f.origins, err = newOrigins(s.Origins, s.OriginPatterns, s.Credentials); err != nil {
		return nil, err
	}
	for key, list := range map[string][]string{"methods": s.Methods, "headers": s.Headers, "exposeHeaders": s.ExposeHeaders} {
		for i, word := range list {
			if word == "" || strings.ContainsAny(word, " ,\t\r\n:\"") {
				return nil, filter.Wrong(fmt.Sprintf("%s[%d]", key, i), "%q is no name", word)
			}
		}
	}
	if s.MaxAge < 0 {
		return nil, filter.Wrong("maxAge", "must not be negative")
	}
	f.methods, f.anyHeader = s.Methods, slices.Contains(s.Headers, "*")
	for _, h := range s.Headers {
		f.headers = append(f.headers, strings.ToLower(h))
	}
	f.allowMethods, f.allowHeaders = strings.Join(s.Methods, ", "), strings.Join(s.Headers, ", ")
	f.expose, f.maxAge = strings.Join(s.ExposeHeaders, ", "), strconv.FormatInt(int64(time.Duration(s.MaxAge)/time.Second), 10)
	return f, nil
}

// Serve answers preflights, and says on answers whether the asking site may read them. What a backend has said of that
// goes: there must be one word.
func (f *Filter) Serve(x *exchange.Exchange, next exchange.Handler) {
	h := &x.HTTP.Request.Header
	if h.IsOptions() && len(h.Peek("Origin")) > 0 && len(h.Peek("Access-Control-Request-Method")) > 0 {
		f.preflight(x)
		return
	}
	next(x)
	if x.HTTP.Hijacked() {
		return
	}
	answer := &x.HTTP.Response.Header
	for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"} {
		answer.Del(name)
	}
	if f.allowOrigin(x) && f.expose != "" {
		answer.Set("Access-Control-Expose-Headers", f.expose)
	}
}

// allowOrigin says so if the site that asks may read the answer. Whether or not, caches must tell sites apart, unless the
// answer is the same for all.
func (f *Filter) allowOrigin(x *exchange.Exchange) bool {
	answer := &x.HTTP.Response.Header
	if f.origins.any {
		if len(x.HTTP.Request.Header.Peek("Origin")) > 0 {
			answer.Set("Access-Control-Allow-Origin", "*")
			return true
		}
		return false
	}
	vary(answer, "Origin")
	origin := x.HTTP.Request.Header.Peek("Origin")
	if !f.origins.allows(text(origin)) {
		return false
	}
	answer.SetBytesV("Access-Control-Allow-Origin", origin)
	if f.credentials {
		answer.Set("Access-Control-Allow-Credentials", "true")
	}
	return true
}

// vary adds a name to Vary; header names repeat harmlessly, but * says it all.
func vary(h *fasthttp.ResponseHeader, name string) {
	for _, v := range h.PeekAll("Vary") {
		if t := text(v); t == "*" || strings.EqualFold(t, name) {
			return
		}
	}
	h.Add("Vary", name)
}

// preflight answers 204, or 403 with a word on what is not allowed: browsers look at the code and the headers.
func (f *Filter) preflight(x *exchange.Exchange) {
	h := &x.HTTP.Request.Header
	f.preflights.Inc()
	method, headers := text(h.Peek("Access-Control-Request-Method")), text(h.Peek("Access-Control-Request-Headers"))
	switch {
	case !f.origins.allows(text(h.Peek("Origin"))):
		f.refuse(x, "the origin is not allowed")
	case !slices.Contains(f.methods, method) && !slices.Contains(f.methods, "*"):
		f.refuse(x, "the method is not allowed for other origins")
	case !f.knows(headers):
		f.refuse(x, "a header is not allowed for other origins")
	default:
		f.allowOrigin(x)
		answer := &x.HTTP.Response.Header
		answer.Set("Access-Control-Allow-Methods", f.allowMethods)
		if list := f.allowHeaders; f.anyHeader {
			// * would not stand for Authorization, nor for anything with credentials.
			answer.Set("Access-Control-Allow-Headers", headers)
		} else if list != "" {
			answer.Set("Access-Control-Allow-Headers", list)
		}
		answer.Set("Access-Control-Max-Age", f.maxAge)
		answer.SetNoDefaultContentType(true)
		x.HTTP.Response.SetStatusCode(fasthttp.StatusNoContent)
	}
	answer := &x.HTTP.Response.Header
	for _, name := range []string{"Access-Control-Request-Method", "Access-Control-Request-Headers"} {
		vary(answer, name)
	}
}

func (f *Filter) refuse(x *exchange.Exchange, message string) {
	f.deny.Inc()
	status.Write(x, status.Forbidden, message)
	if !f.origins.any {
		vary(&x.HTTP.Response.Header, "Origin")
	}
}

// knows says whether all of a list of header names may be sent.
func (f *Filter) knows(list string) bool {
	for name := range strings.SplitSeq(list, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if name != "" && !f.anyHeader && !slices.Contains(f.headers, name) {
			return false
		}
		if strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 {
			return false
		}
	}
	return true
}

// Explain says what a site would be told; an explained request has no Origin.
func (f *Filter) Explain(*exchange.Exchange) exchange.Finding {
	return exchange.Finding{Reason: "answers preflights, marks answers for the origins that may read them"}
}

// Close has nothing to free.
func (*Filter) Close() error { return nil }

// text is b as a string without a copy, while b does not change.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
