//go:build wasip1

package probe

import "unsafe"

// The host functions of ABI v1 in their raw form: pointers are numbers, so that wrong ones can be passed.

//go:wasmimport postern/v1 request_field
func requestField(ex, field, buf, size uint32) int32

//go:wasmimport postern/v1 request_header
func requestHeader(ex, name, nameLen, buf, size uint32) int32

//go:wasmimport postern/v1 request_body
func requestBody(ex uint32) int32

//go:wasmimport postern/v1 response_status
func responseStatus(ex, status uint32) int32

//go:wasmimport postern/v1 response_header
func responseHeader(ex, name, nameLen, value, valueLen uint32) int32

//go:wasmimport postern/v1 response_write
func responseWrite(ex, ptr, size uint32) int32

//go:wasmimport postern/v1 response_splice
func responseSplice(ex, handle uint32) int32

//go:wasmimport postern/v1 response_error
func responseError(ex, status, message, messageLen uint32) int32

//go:wasmimport postern/v1 response_end
func responseEnd(ex uint32) int32

//go:wasmimport postern/v1 handle_new
func handleNew(ex, ptr, size uint32) int32

//go:wasmimport postern/v1 handle_len
func handleLen(ex, handle uint32) int64

//go:wasmimport postern/v1 handle_read
func handleRead(ex, handle uint32, offset int64, buf, size uint32) int32

//go:wasmimport postern/v1 handle_drop
func handleDrop(ex, handle uint32) int32

//go:wasmimport postern/v1 json_get
func jsonGet(ex, handle, pointer, pointerLen, buf, size uint32) int32

//go:wasmimport postern/v1 json_transform
func jsonTransform(ex, handle, program, programLen uint32) int32

//go:wasmimport postern/v1 completions
func completions(buf, most uint32) int32

//go:wasmimport postern/v1 wait
func hostWait(tokens, n, milliseconds uint32) int32

//go:wasmimport postern/v1 cancel
func cancelCall(token uint32) int32

//go:wasmimport postern/v1 sleep
func sleep(ex, milliseconds uint32) int32

//go:wasmimport postern/v1 log
func logLine(level, ptr, size uint32)

//go:wasmimport postern/v1 now
func now() int64

//go:wasmimport postern/v1 settings
func settings(buf, size uint32) int32

//go:wasmimport postern/v1 last_error
func lastError(buf, size uint32) int32

//go:wasmimport postern/v1 error_of
func errorOf(ex, token, buf, size uint32) int32

//go:wasmimport postern.kube/v1 call
func kubeCall(ex, record, size uint32) int32

//go:wasmimport postern.kube/v1 query
func kubeQuery(ex, record, size uint32) int32

//go:wasmimport postern.access/v1 call
func accessCall(ex, record, size uint32) int32

//go:wasmimport postern.accounts/v1 call
func accountsCall(ex, record, size uint32) int32

//go:wasmimport postern.prometheus/v1 call
func prometheusCall(ex, record, size uint32) int32

//go:wasmimport postern.http/v1 call
func httpCall(ex, record, size uint32) int32

//go:wasmimport postern.http/v1 forward
func httpForward(ex, record, size uint32) int32

// in and out are where arguments lie and results are put. They never move, and nothing yields between writing and reading.
var (
	in  [64 << 10]byte
	out [64 << 10]byte
)

// outAt is out's address.
func outAt() uint32 { return uint32(uintptr(unsafe.Pointer(&out))) }

// put lays texts one behind the other into in; their addresses.
func put(texts ...string) (at [3]uint32) {
	end := 0
	for i, s := range texts {
		at[i] = uint32(uintptr(unsafe.Pointer(&in[end])))
		end += copy(in[end:], s)
	}
	return at
}

// text is what a function that returned n has written.
func text(n int32) string {
	if n < 0 || int(n) > len(out) {
		return ""
	}
	return string(out[:n])
}

// Addresses that are outside of any memory, or reach out of it.
const (
	wild = 0xfffffff0
	huge = 0xffffffff
)
