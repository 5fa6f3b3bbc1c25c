//go:build wasip1

package guest

import "unsafe"

// The host functions of ABI v1, as the host declares them, each with its Go form. One that a module does not use is not
// linked into it, so a module asks for no more capabilities than it has calls.

//go:wasmimport postern/v1 request_field
func abiRequestField(ex uint32, field uint32, buf unsafe.Pointer, bufLen uint32) int32

func requestField(ex, field uint32, buf []byte) int32 {
	return abiRequestField(ex, field, unsafe.Pointer(unsafe.SliceData(buf)), uint32(len(buf)))
}

//go:wasmimport postern/v1 request_header
func abiRequestHeader(ex uint32, name unsafe.Pointer, nameLen uint32, buf unsafe.Pointer, bufLen uint32) int32

func requestHeader(ex uint32, name string, buf []byte) int32 {
	return abiRequestHeader(ex, unsafe.Pointer(unsafe.StringData(name)), uint32(len(name)), unsafe.Pointer(unsafe.SliceData(buf)), uint32(len(buf)))
}

//go:wasmimport postern/v1 request_body
func abiRequestBody(ex uint32) int32

func requestBody(ex uint32) int32 {
	return abiRequestBody(ex)
}

//go:wasmimport postern/v1 response_status
func abiResponseStatus(ex uint32, status uint32) int32

func responseStatus(ex, status uint32) int32 {
	return abiResponseStatus(ex, status)
}

//go:wasmimport postern/v1 response_header
func abiResponseHeader(ex uint32, name unsafe.Pointer, nameLen uint32, value unsafe.Pointer, valueLen uint32) int32

func responseHeader(ex uint32, name, value string) int32 {
	return abiResponseHeader(ex, unsafe.Pointer(unsafe.StringData(name)), uint32(len(name)), unsafe.Pointer(unsafe.StringData(value)), uint32(len(value)))
}

//go:wasmimport postern/v1 response_write
func abiResponseWrite(ex uint32, body unsafe.Pointer, bodyLen uint32) int32

func responseWrite(ex uint32, body []byte) int32 {
	return abiResponseWrite(ex, unsafe.Pointer(unsafe.SliceData(body)), uint32(len(body)))
}

//go:wasmimport postern/v1 response_splice
func abiResponseSplice(ex uint32, handle uint32) int32

func responseSplice(ex, handle uint32) int32 {
	return abiResponseSplice(ex, handle)
}

//go:wasmimport postern/v1 response_error
func abiResponseError(ex uint32, status uint32, message unsafe.Pointer, messageLen uint32) int32

func responseError(ex, status uint32, message string) int32 {
	return abiResponseError(ex, status, unsafe.Pointer(unsafe.StringData(message)), uint32(len(message)))
}

//go:wasmimport postern/v1 response_end
func abiResponseEnd(ex uint32) int32

func responseEnd(ex uint32) int32 {
	return abiResponseEnd(ex)
}

//go:wasmimport postern/v1 handle_new
func abiHandleNew(ex uint32, body unsafe.Pointer, bodyLen uint32) int32

func handleNew(ex uint32, body []byte) int32 {
	return abiHandleNew(ex, unsafe.Pointer(unsafe.SliceData(body)), uint32(len(body)))
}

//go:wasmimport postern/v1 handle_len
func abiHandleLen(ex uint32, handle uint32) int64

func handleLen(ex, handle uint32) int64 {
	return abiHandleLen(ex, handle)
}

//go:wasmimport postern/v1 handle_read
func abiHandleRead(ex uint32, handle uint32, offset int64, buf unsafe.Pointer, bufLen uint32) int32

func handleRead(ex, handle uint32, offset int64, buf []byte) int32 {
	return abiHandleRead(ex, handle, offset, unsafe.Pointer(unsafe.SliceData(buf)), uint32(len(buf)))
}

//go:wasmimport postern/v1 handle_drop
func abiHandleDrop(ex uint32, handle uint32) int32

func handleDrop(ex, handle uint32) int32 {
	return abiHandleDrop(ex, handle)
}

//go:wasmimport postern/v1 json_get
func abiJsonGet(ex uint32, handle uint32, pointer unsafe.Pointer, pointerLen uint32, buf unsafe.Pointer, bufLen uint32) int32

func jsonGet(ex, handle uint32, pointer string, buf []byte) int32 {
	return abiJsonGet(ex, handle, unsafe.Pointer(unsafe.StringData(pointer)), uint32(len(pointer)), unsafe.Pointer(unsafe.SliceData(buf)), uint32(len(buf)))
}

//go:wasmimport postern/v1 json_transform
func abiJsonTransform(ex uint32, handle uint32, program unsafe.Pointer, programLen uint32) int32

func jsonTransform(ex, handle uint32, program string) int32 {
	return abiJsonTransform(ex, handle, unsafe.Pointer(unsafe.StringData(program)), uint32(len(program)))
}

//go:wasmimport postern/v1 sleep
func abiSleep(ex uint32, milliseconds uint32) int32

func sleep(ex, milliseconds uint32) int32 {
	return abiSleep(ex, milliseconds)
}

//go:wasmimport postern/v1 log
func abiLogLine(level uint32, line unsafe.Pointer, lineLen uint32)

func logLine(level uint32, line string) {
	abiLogLine(level, unsafe.Pointer(unsafe.StringData(line)), uint32(len(line)))
}

//go:wasmimport postern/v1 settings
func abiSettings(buf unsafe.Pointer, bufLen uint32) int32

func settings(buf []byte) int32 {
	return abiSettings(unsafe.Pointer(unsafe.SliceData(buf)), uint32(len(buf)))
}

//go:wasmimport postern/v1 last_error
func abiLastError(buf unsafe.Pointer, bufLen uint32) int32

func lastError(buf []byte) int32 {
	return abiLastError(unsafe.Pointer(unsafe.SliceData(buf)), uint32(len(buf)))
}

//go:wasmimport postern/v1 error_of
func abiErrorOf(ex uint32, token uint32, buf unsafe.Pointer, bufLen uint32) int32

func errorOf(ex, token uint32, buf []byte) int32 {
	return abiErrorOf(ex, token, unsafe.Pointer(unsafe.SliceData(buf)), uint32(len(buf)))
}

//go:wasmimport postern.kube/v1 call
func abiKubeCall(ex uint32, record unsafe.Pointer, recordLen uint32) int32

func kubeCall(ex uint32, record []byte) int32 {
	return abiKubeCall(ex, unsafe.Pointer(unsafe.SliceData(record)), uint32(len(record)))
}

//go:wasmimport postern.prometheus/v1 call
func abiPrometheusCall(ex uint32, record unsafe.Pointer, recordLen uint32) int32

func prometheusCall(ex uint32, record []byte) int32 {
	return abiPrometheusCall(ex, unsafe.Pointer(unsafe.SliceData(record)), uint32(len(record)))
}

//go:wasmimport postern.http/v1 call
func abiHttpCall(ex uint32, record unsafe.Pointer, recordLen uint32) int32

func httpCall(ex uint32, record []byte) int32 {
	return abiHttpCall(ex, unsafe.Pointer(unsafe.SliceData(record)), uint32(len(record)))
}

//go:wasmimport postern.http/v1 forward
func abiHttpForward(ex uint32, record unsafe.Pointer, recordLen uint32) int32

func httpForward(ex uint32, record []byte) int32 {
	return abiHttpForward(ex, unsafe.Pointer(unsafe.SliceData(record)), uint32(len(record)))
}

//go:wasmimport postern.kube/v1 query
func abiKubeQuery(ex uint32, record unsafe.Pointer, recordLen uint32) int32

func kubeQuery(ex uint32, record []byte) int32 {
	return abiKubeQuery(ex, unsafe.Pointer(unsafe.SliceData(record)), uint32(len(record)))
}

//go:wasmimport postern.access/v1 call
func abiAccessCall(ex uint32, record unsafe.Pointer, recordLen uint32) int32

func accessCall(ex uint32, record []byte) int32 {
	return abiAccessCall(ex, unsafe.Pointer(unsafe.SliceData(record)), uint32(len(record)))
}

//go:wasmimport postern.accounts/v1 call
func abiAccountsCall(ex uint32, record unsafe.Pointer, recordLen uint32) int32

func accountsCall(ex uint32, record []byte) int32 {
	return abiAccountsCall(ex, unsafe.Pointer(unsafe.SliceData(record)), uint32(len(record)))
}
