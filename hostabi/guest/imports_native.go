//go:build !wasip1

package guest

import "github.com/posternhq/postern/hostabi"

// The host functions of ABI v1, invoked on the host that Native was given.

func requestField(ex, field uint32, buf []byte) int32 {
	return int32(invoke(hostabi.ModuleCore, "request_field", ex, field, buf))
}

func requestHeader(ex uint32, name string, buf []byte) int32 {
	return int32(invoke(hostabi.ModuleCore, "request_header", ex, name, buf))
}

func requestBody(ex uint32) int32 {
	return int32(invoke(hostabi.ModuleCore, "request_body", ex))
}

func responseStatus(ex, status uint32) int32 {
	return int32(invoke(hostabi.ModuleCore, "response_status", ex, status))
}

func responseHeader(ex uint32, name, value string) int32 {
	return int32(invoke(hostabi.ModuleCore, "response_header", ex, name, value))
}

func responseWrite(ex uint32, body []byte) int32 {
	return int32(invoke(hostabi.ModuleCore, "response_write", ex, body))
}

func responseSplice(ex, handle uint32) int32 {
	return int32(invoke(hostabi.ModuleCore, "response_splice", ex, handle))
}

func responseError(ex, status uint32, message string) int32 {
	return int32(invoke(hostabi.ModuleCore, "response_error", ex, status, message))
}

func responseEnd(ex uint32) int32 {
	return int32(invoke(hostabi.ModuleCore, "response_end", ex))
}

func handleNew(ex uint32, body []byte) int32 {
	return int32(invoke(hostabi.ModuleCore, "handle_new", ex, body))
}

func handleLen(ex, handle uint32) int64 {
	return invoke(hostabi.ModuleCore, "handle_len", ex, handle)
}

func handleRead(ex, handle uint32, offset int64, buf []byte) int32 {
	return int32(invoke(hostabi.ModuleCore, "handle_read", ex, handle, offset, buf))
}

func handleDrop(ex, handle uint32) int32 {
	return int32(invoke(hostabi.ModuleCore, "handle_drop", ex, handle))
}

func jsonGet(ex, handle uint32, pointer string, buf []byte) int32 {
	return int32(invoke(hostabi.ModuleCore, "json_get", ex, handle, pointer, buf))
}

func jsonTransform(ex, handle uint32, program string) int32 {
	return int32(invoke(hostabi.ModuleCore, "json_transform", ex, handle, program))
}

func sleep(ex, milliseconds uint32) int32 {
	return int32(invoke(hostabi.ModuleCore, "sleep", ex, milliseconds))
}

func logLine(level uint32, line string) {
	invoke(hostabi.ModuleCore, "log", level, line)
}

func settings(buf []byte) int32 {
	return int32(invoke(hostabi.ModuleCore, "settings", buf))
}

func lastError(buf []byte) int32 {
	return int32(invoke(hostabi.ModuleCore, "last_error", buf))
}

func errorOf(ex, token uint32, buf []byte) int32 {
	return int32(invoke(hostabi.ModuleCore, "error_of", ex, token, buf))
}

func kubeCall(ex uint32, record []byte) int32 {
	return int32(invoke(hostabi.ModuleKube, "call", ex, record))
}

func prometheusCall(ex uint32, record []byte) int32 {
	return int32(invoke(hostabi.ModulePrometheus, "call", ex, record))
}

func httpCall(ex uint32, record []byte) int32 {
	return int32(invoke(hostabi.ModuleHTTP, "call", ex, record))
}

func httpForward(ex uint32, record []byte) int32 {
	return int32(invoke(hostabi.ModuleHTTP, "forward", ex, record))
}

func kubeQuery(ex uint32, record []byte) int32 {
	return int32(invoke(hostabi.ModuleKube, "query", ex, record))
}

func accessCall(ex uint32, record []byte) int32 {
	return int32(invoke(hostabi.ModuleAccess, "call", ex, record))
}

func accountsCall(ex uint32, record []byte) int32 {
	return int32(invoke(hostabi.ModuleAccounts, "call", ex, record))
}
