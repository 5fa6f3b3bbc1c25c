package httpwasm

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tetratelabs/wazero/api"

	"github.com/posternhq/postern/gateway/module"
)

// moduleName is what guests import.
const moduleName = "http_handler"

// What a guest exports.
const (
	exportRequest  = "handle_request"
	exportResponse = "handle_response"
)

// The features that a guest may ask for, as bits. All are supported.
const (
	bufferRequest  = 1 << iota // reading the request's body leaves it for whoever answers
	bufferResponse             // the answer's body can be read and replaced
	trailers                   // trailers exist
	allFeatures    = bufferRequest | bufferResponse | trailers
)

// The kinds of headers and of bodies.
const (
	ofRequest = iota
	ofResponse
	ofRequestTrailers
	ofResponseTrailers
)

const (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
)

// host makes an import of f, which gets the arguments and is the result, if there is one.
func host(params int, result []api.ValueType, f func(c *call, m guestMemory, a []uint64) uint64) module.Import {
	return module.Import{
		Params: slices.Repeat([]api.ValueType{i32}, params), Results: result,
		Call: func(self any, memory api.Memory, stack []uint64) {
			for n := range params {
				stack[n] = uint64(uint32(stack[n])) // the upper half is what happened to be in the register
			}
			r := f(&self.(*instance).call, guestMemory{memory}, stack)
			if result != nil {
				stack[0] = r
			}
		},
	}
}

var (
	none   []api.ValueType
	number = []api.ValueType{i32}
	pair   = []api.ValueType{i64}
)

// functions are the ABI's, by name.
var functions = map[string]module.Import{
	"enable_features":      host(1, number, enableFeatures),
	"get_config":           host(2, number, getConfig),
	"log":                  host(3, none, logLine),
	"log_enabled":          host(1, number, logEnabled),
	"get_method":           host(2, number, getMethod),
	"set_method":           host(2, none, setMethod),
	"get_uri":              host(2, number, getURI),
	"set_uri":              host(2, none, setURI),
	"get_protocol_version": host(2, number, getProtocolVersion),
	"get_source_addr":      host(2, number, getSourceAddr),
	"get_header_names":     host(3, pair, getHeaderNames),
	"get_header_values":    host(5, pair, getHeaderValues),
	"set_header_value":     host(5, none, setHeaderValue),
	"add_header_value":     host(5, none, addHeaderValue),
	"remove_header":        host(3, none, removeHeader),
	"read_body":            host(3, pair, readBody),
	"write_body":           host(3, none, writeBody),
	"get_status_code":      host(0, number, getStatusCode),
	"set_status_code":      host(1, none, setStatusCode),
}

// checkExports says what a guest lacks.
func checkExports(p *module.Foreign) error {
	request, response := p.Exports()[exportRequest], p.Exports()[exportResponse]
	switch {
	case request == nil || response == nil:
		return fmt.Errorf("does not export %s and %s: it is no http-wasm handler", exportRequest, exportResponse)
	case len(request.ParamTypes()) > 0 || !slices.Equal(request.ResultTypes(), pair):
		return errors.New(exportRequest + " is not of type () -> i64")
	case !slices.Equal(response.ParamTypes(), []api.ValueType{i32, i32}) || len(response.ResultTypes()) > 0:
		return errors.New(exportResponse + " is not of type (i32, i32) -> ()")
	}
	return nil
}

// trap ends the guest: what it did the ABI does not allow.
func trap(format string, args ...any) { panic(fmt.Errorf(format, args...)) }

// guestMemory is the guest's memory; a range that is not inside it is a trap.
type guestMemory struct{ api.Memory }

// bytes are a range of it, valid until the guest runs again.
func (m guestMemory) bytes(at, size uint64) []byte {
	if size == 0 {
		return nil
	}
	b, ok := m.Read(uint32(at), uint32(size))
	if !ok {
		trap("%d bytes at %d are not within memory", size, at)
	}
	return b
}

// give writes value if it has at most limit bytes, and is its length.
func (m guestMemory) give(value []byte, at, limit uint64) uint64 {
	if size := uint64(len(value)); size <= limit {
		copy(m.bytes(at, size), value)
	}
	return uint64(len(value))
}

// giveList writes values, each with a NUL behind it, if that has at most limit bytes. It is their number and that size.
func (m guestMemory) giveList(values [][]byte, at, limit uint64) uint64 {
	size := uint64(0)
	for _, v := range values {
		size += uint64(len(v)) + 1
	}
	if size <= limit {
		b := m.bytes(at, size)
		for _, v := range values {
			n := copy(b, v)
			b[n] = 0
			b = b[n+1:]
		}
	}
	return uint64(len(values))<<32 | size
}
