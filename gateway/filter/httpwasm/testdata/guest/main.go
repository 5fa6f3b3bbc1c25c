// A guest of the http-wasm handler ABI in Go, as a reactor: it answers /hello itself and marks what others answer.
package main

import (
	"strings"
	"unsafe"
)

//go:wasmimport http_handler get_uri
func getURI(buf unsafe.Pointer, limit uint32) uint32

//go:wasmimport http_handler set_header_value
func setHeaderValue(kind uint32, name unsafe.Pointer, nameLen uint32, value unsafe.Pointer, valueLen uint32)

//go:wasmimport http_handler write_body
func writeBody(kind uint32, body unsafe.Pointer, size uint32)

//go:wasmexport handle_request
func handleRequest() uint64 {
	var buf [256]byte
	n := getURI(unsafe.Pointer(&buf), uint32(len(buf)))
	uri := string(buf[:min(n, uint32(len(buf)))])
	name, ok := strings.CutPrefix(uri, "/hello/")
	if !ok {
		return uint64(len(uri))<<32 | 1
	}
	body := []byte("hello, " + name)
	writeBody(1, unsafe.Pointer(unsafe.SliceData(body)), uint32(len(body)))
	return 0
}

//go:wasmexport handle_response
func handleResponse(context, isError uint32) {
	name, value := []byte("X-Length"), []byte(strings.Repeat("x", int(context)))
	setHeaderValue(1, unsafe.Pointer(unsafe.SliceData(name)), uint32(len(name)), unsafe.Pointer(unsafe.SliceData(value)), uint32(len(value)))
}

func main() {}
