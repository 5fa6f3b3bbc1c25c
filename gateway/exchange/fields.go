package exchange

// HeadersChanged says that a stage has changed the headers of HTTP.Request. Backends are sent the lines that were
// received, byte for byte; from here on they are sent what HTTP.Request.Header holds when the request is sent.
func (x *Exchange) HeadersChanged() { x.changed = true }

// HeaderLines are the request's header lines for a backend, the empty line at their end included: as they were received,
// or, after HeadersChanged, in fasthttp's order and spelling. They are valid until the next call, and must not be changed.
func (x *Exchange) HeaderLines() []byte {
	h := &x.HTTP.Request.Header
	if !x.changed {
		return h.RawHeaders()
	}
	x.fields = x.fields[:0]
	for name, value := range h.All() {
		x.fields = append(append(x.fields, name...), ": "...)
		x.fields = append(append(x.fields, value...), '\r', '\n')
	}
	x.fields = append(x.fields, '\r', '\n')
	return x.fields
}
