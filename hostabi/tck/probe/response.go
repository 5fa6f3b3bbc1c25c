//go:build wasip1

package probe

import "github.com/posternhq/postern/hostabi"

func setHeader(ex uint32, name, value string) int32 {
	at := put(name, value)
	return responseHeader(ex, at[0], uint32(len(name)), at[1], uint32(len(value)))
}

func write(ex uint32, s string) int32 {
	at := put(s)
	return responseWrite(ex, at[0], uint32(len(s)))
}

func fail(ex, status uint32, message string) int32 {
	at := put(message)
	return responseError(ex, status, at[0], uint32(len(message)))
}

// mixed answers in pieces; the runner sees whether they arrive.
func mixed(r *report) {
	responseStatus(r.ex, 201)
	setHeader(r.ex, "X-Tck", "first")
	setHeader(r.ex, "x-tck", "last")
	write(r.ex, "one ")
	responseSplice(r.ex, r.keep("two "))
	write(r.ex, "")
	write(r.ex, "three")
}

// failed replaces what has been written by an error.
func failed(r *report) {
	responseStatus(r.ex, 201)
	setHeader(r.ex, "X-Tck", "gone")
	write(r.ex, "gone")
	fail(r.ex, 409, "this is in the way")
}

// response gives the answer's functions what they must refuse.
func response(r *report) {
	for _, status := range []uint32{0, 100, 199, 600, 1 << 16, huge} {
		r.code("response_status "+number(int64(status)), responseStatus(r.ex, status), hostabi.BadArgument)
	}
	for _, status := range []uint32{0, 200, 399, 600, huge} {
		r.code("response_error "+number(int64(status)), fail(r.ex, status, "x"), hostabi.BadArgument)
	}
	for _, h := range [][2]string{
		{"", "x"},
		{"a b", "x"},
		{"a:", "x"},
		{"a\r\nb", "x"},
		{"a\x00", "x"},
		{"a", "x\r\ny: z"},
		{"a", "x\ny"},
		{"a", "x\x00"},
		{"ä", "x"},
		{"Content-Length", "1"},
		{"content-length", "1"},
		{"Transfer-Encoding", "chunked"},
		{"Connection", "close"},
		{"Keep-Alive", "x"},
		{"Upgrade", "x"},
		{"Trailer", "x"},
		{"Te", "x"},
		{"Proxy-Connection", "x"},
	} {
		r.code("response_header "+h[0]+": "+h[1], setHeader(r.ex, h[0], h[1]), hostabi.BadArgument)
	}
	why(r, "response_header")
	for name, handle := range map[string]uint32{"0": 0, "never made": 12345, "negative": huge} {
		r.code("response_splice of handle "+name, responseSplice(r.ex, handle), hostabi.NotFound)
	}
	at := put("X-Ok", "v")
	ranges(r, "response_header name", func(p, n uint32) int32 { return responseHeader(r.ex, p, n, at[1], 1) })
	ranges(r, "response_header value", func(p, n uint32) int32 { return responseHeader(r.ex, at[0], 4, p, n) })
	ranges(r, "response_write", func(p, n uint32) int32 { return responseWrite(r.ex, p, n) })
	r.code("response_error message: outside memory", responseError(r.ex, 500, wild, 8), hostabi.BadArgument)
	ended(r, "of no exchange", huge)
}

// ended wants every function to say that an exchange is over.
func ended(r *report, name string, ex uint32) {
	at := put("X-Ok", "v")
	for function, got := range map[string]int32{
		"response_status": responseStatus(ex, 200), "response_header": responseHeader(ex, at[0], 4, at[1], 1),
		"response_write": responseWrite(ex, at[0], 4), "response_splice": responseSplice(ex, 1),
		"response_error": responseError(ex, 500, at[0], 4), "response_end": responseEnd(ex),
		"request_field": requestField(ex, 1, outAt(), 16), "request_header": requestHeader(ex, at[0], 4, outAt(), 16),
		"request_body": requestBody(ex), "handle_new": handleNew(ex, at[0], 4), "handle_len": int32(handleLen(ex, 1)),
		"handle_read": handleRead(ex, 1, 0, outAt(), 16), "handle_drop": handleDrop(ex, 1), "sleep": sleep(ex, 1),
		"json_get": jsonGet(ex, 1, at[0], 0, outAt(), 16), "json_transform": jsonTransform(ex, 1, at[0], 0),
		"error_of": errorOf(ex, 1, outAt(), 16), "http call": httpCall(ex, at[0], 0), "http forward": httpForward(ex, at[0], 0),
		"kube call": kubeCall(ex, at[0], 0), "kube query": kubeQuery(ex, at[0], 0), "access call": accessCall(ex, at[0], 0),
		"accounts call": accountsCall(ex, at[0], 0), "prometheus call": prometheusCall(ex, at[0], 0),
	} {
		r.code(function+" "+name, got, hostabi.Gone)
	}
}
