// Package headers sets, adds and removes headers of requests and answers.
package headers

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
)

// Kind is headers. By default it stands where who asks is known.
var Kind = filter.Kind{
	Name: "headers", Positions: []filter.Position{filter.BeforeDispatch, filter.BeforeAuthentication, filter.BeforeAnswer},
	Settings: new(settings), New: open,
}

type settings struct {
	Request  edits `json:"request,omitempty" jsonschema:"description=headers on their way to the backend"`
	Response edits `json:"response,omitempty" jsonschema:"description=headers of answers\\, errors included"`
}

type edits struct {
	Remove []string          `json:"remove,omitempty" jsonschema:"description=these first"`
	Set    map[string]string `json:"set,omitempty" jsonschema:"description=in the place of what is there; with {placeholders}"`
	Add    map[string]string `json:"add,omitempty" jsonschema:"description=beside what is there; with {placeholders}"`
}

// Filter is the edits of one use.
type Filter struct{ request, response []edit }

// edit is one step: a removal, or a value that replaces or joins.
type edit struct {
	name         string
	remove, join bool
	value        template
}

var (
	_ filter.Filter    = (*Filter)(nil)
	_ filter.Explainer = (*Filter)(nil)
)

// framing are headers that belong to the connection or the message's frame, not to whoever sees it pass.
var framing = []string{
	"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "expect",
	"host", "http2-settings", "date", "x-request-id",
}

// credentials are headers by which somebody is told who asks: of requests they are the gateway's alone.
var credentials = []string{
	"authorization", "proxy-authorization", "cookie", "impersonate-*", "x-remote-*", "x-kubesphere-*", "x-forwarded-*",
	"forwarded", "x-original-*", "x-real-ip", "x-client-ip", "ssl-client-*", "x-ssl-client-*", "x-client-cert*", "sec-websocket-*",
}

func open(raw json.RawMessage, env filter.Env) (filter.Filter, error) {
	var s settings
	if err := filter.Decode(raw, &s); err != nil {
		return nil, err
	}
	f := new(Filter)
	var err error
	if f.request, err = compile("request", s.Request, slices.Concat(framing, credentials), env.Before); err != nil {
		return nil, err
	}
	if f.response, err = compile("response", s.Response, framing, ""); err != nil {
		return nil, err
	}
	if len(f.request)+len(f.response) == 0 {
		return nil, filter.Wrong("", "needs request or response, with remove, set or add")
	}
	return f, nil
}

// compile makes steps of e: removals, then what is set, then what is added, by name.
func compile(side string, e edits, forbidden []string, before filter.Position) (steps []edit, err error) {
	for _, name := range e.Remove {
		if err := checkName(name, forbidden); err != nil {
			return nil, filter.Wrong(side+".remove", "%w", err)
		}
		steps = append(steps, edit{name: name, remove: true})
	}
	for _, group := range []struct {
		key  string
		list map[string]string
	}{{"set", e.Set}, {"add", e.Add}} {
		for _, name := range slices.Sorted(maps.Keys(group.list)) {
			key := side + "." + group.key + "." + strings.ReplaceAll(name, ".", `\.`)
			if err := checkName(name, forbidden); err != nil {
				return nil, filter.Wrong(key, "%w", err)
			}
			value, names, err := parse(group.list[name])
			if err != nil {
				return nil, filter.Wrong(key, "%w", err)
			}
			if before == filter.BeforeAuthentication && slices.Contains(names, "user") {
				return nil, filter.Wrong(key, "before authentication nobody knows who asks: leave out {user}, or say before: dispatch")
			}
			steps = append(steps, edit{name: name, join: group.key == "add", value: value})
		}
	}
	return steps, nil
}

// scratch holds a value that is being made.
type scratch struct{ b []byte }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// header is what requests' and responses' headers have in common.
type header interface {
	Del(key string)
	SetBytesV(key string, value []byte)
	AddBytesV(key string, value []byte)
}

// Serve edits the request, and the answer when it comes. A tunnel's answer is the backend's own: it is left alone.
func (f *Filter) Serve(x *exchange.Exchange, next exchange.Handler) {
	if len(f.request) > 0 {
		apply(f.request, &x.HTTP.Request.Header, x)
		x.HeadersChanged()
	}
	next(x)
	if len(f.response) > 0 && !x.HTTP.Hijacked() {
		apply(f.response, &x.HTTP.Response.Header, x)
	}
}

func apply[H interface {
	*fasthttp.RequestHeader | *fasthttp.ResponseHeader
	header
}](steps []edit, h H, x *exchange.Exchange) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	for i := range steps {
		e := &steps[i]
		if e.remove {
			h.Del(e.name)
			continue
		}
		s.b = e.value.append(s.b[:0], x)
		if e.join {
			h.AddBytesV(e.name, s.b)
		} else {
			h.SetBytesV(e.name, s.b)
		}
	}
}

// Explain lists the steps.
func (f *Filter) Explain(x *exchange.Exchange) exchange.Finding {
	details := map[string]any{}
	for side, steps := range map[string][]edit{"request": f.request, "response": f.response} {
		var lines []string
		for _, e := range steps {
			if e.remove {
				lines = append(lines, "- "+e.name)
				continue
			}
			lines = append(lines, "+ "+e.name+": "+string(e.value.append(nil, x)))
		}
		if lines != nil {
			details[side] = lines
		}
	}
	return exchange.Finding{Reason: "edits headers", Details: details}
}

// Close has nothing to free.
func (*Filter) Close() error { return nil }
