//go:build wasip1

package probe

import (
	"strings"

	"github.com/posternhq/postern/hostabi"
)

// request reads what the runner has sent: see Host in package tck.
func request(r *report) {
	field := func(f hostabi.Field) string { return text(requestField(r.ex, uint32(f), outAt(), uint32(len(out)))) }
	r.text("request_field method", field(hostabi.FieldMethod), "POST")
	r.text("request_field query, raw", field(hostabi.FieldQuery), "a=1&b=%20c")
	r.text("request_field group", field(hostabi.FieldGroup), Group)
	r.text("request_field version", field(hostabi.FieldVersion), "v1")
	r.text("request_field path behind the group", field(hostabi.FieldModulePath), "/v1/request/a b")
	r.text("request_field the same as sent", field(hostabi.FieldModuleRawPath), "/v1/request/a%20b")
	r.text("request_field path", field(hostabi.FieldPath), "/kapis/"+Group+"/v1/request/a b")
	r.text("request_field verb", field(hostabi.FieldVerb), "create")
	r.text("request_field resource", field(hostabi.FieldResource), "request")
	r.text("request_field name", field(hostabi.FieldName), "a b")
	r.text("request_field that is empty", field(hostabi.FieldWorkspace), "")
	r.yes("request_field scope", strings.Contains(" Global Cluster Workspace Namespace DevOps ", " "+field(hostabi.FieldScope)+" "))
	r.yes("request_field user", field(hostabi.FieldUser) != "")
	r.yes("request_field request id", field(hostabi.FieldRequestID) != "")
	r.yes("request_field client", field(hostabi.FieldRemoteAddress) != "")
	for name, f := range map[string]uint32{"0": 0, "that does not exist": 9999, "beyond any": huge} {
		r.code("request_field "+name, requestField(r.ex, f, outAt(), 16), hostabi.BadArgument)
	}
	buffers(r, "request_field", 4, func(buf, size uint32) int32 { return requestField(r.ex, uint32(hostabi.FieldMethod), buf, size) })
	exchanges(r, "request_field", func(ex uint32) int32 { return requestField(ex, 1, outAt(), 16) })
	headers(r)
	body(r)
}

func headers(r *report) {
	header := func(name string) int32 {
		at := put(name)
		return requestHeader(r.ex, at[0], uint32(len(name)), outAt(), uint32(len(out)))
	}
	for _, name := range []string{"X-Tck", "x-tck", "X-TCK"} {
		r.text("request_header "+name, text(header(name)), "one, two")
	}
	for _, name := range []string{"X-Missing", "", "Authorization", "authorization", "Cookie"} {
		r.code("request_header "+name, header(name), hostabi.NotFound)
	}
	at := put("X-Tck")
	buffers(r, "request_header", 8, func(buf, size uint32) int32 { return requestHeader(r.ex, at[0], 5, buf, size) })
	ranges(r, "request_header name", func(ptr, size uint32) int32 { return requestHeader(r.ex, ptr, size, outAt(), 16) })
	exchanges(r, "request_header", func(ex uint32) int32 { return requestHeader(ex, at[0], 5, outAt(), 16) })
}

func body(r *report) {
	c := r.completed("request_body", requestBody(r.ex), hostabi.OK)
	r.text("request_body content", r.handle(c.Handle), "the body")
	exchanges(r, "request_body", requestBody)
}

// buffers tries a function that fills a buffer with a value of so many bytes.
func buffers(r *report, name string, size int32, f func(buf, size uint32) int32) {
	r.is(name+": no buffer", int64(f(0, 0)), int64(size))
	out[0] = 0xaa
	r.is(name+": a buffer that is too small", int64(f(outAt(), uint32(size-1))), int64(size))
	r.yes(name+": a buffer that is too small stays as it was", out[0] == 0xaa)
	r.is(name+": a buffer that just fits", int64(f(outAt(), uint32(size))), int64(size))
	r.code(name+": a buffer outside memory", f(wild, 1<<16), hostabi.BadArgument)
	r.code(name+": a buffer at the end of addresses", f(huge, uint32(size)), hostabi.BadArgument)
	why(r, name)
}

// ranges tries a function that reads bytes of the guest.
func ranges(r *report, name string, f func(ptr, size uint32) int32) {
	r.code(name+": outside memory", f(wild, 8), hostabi.BadArgument)
	r.code(name+": longer than memory", f(outAt(), huge), hostabi.BadArgument)
	r.code(name+": around the end of addresses", f(huge, 2), hostabi.BadArgument)
	why(r, name)
}

// why wants last_error to have a text.
func why(r *report, name string) {
	r.yes(name+": last_error says why", lastError(outAt(), uint32(len(out))) > 0)
}

// exchanges tries a function on exchanges that are not there.
func exchanges(r *report, name string, f func(ex uint32) int32) {
	for of, ex := range map[string]uint32{"0": 0, "never seen": 0x7ffffff0, "negative": huge} {
		r.code(name+": exchange "+of, f(ex), hostabi.Gone)
	}
}
