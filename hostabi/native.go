package hostabi

// Native is the host of a guest that is compiled natively: the functions of ABI v1 without a WebAssembly memory between.
type Native interface {
	// Invoke calls a host function by its import module and name. Arguments are those of the ABI in order, with a Go value
	// for each pointer and length: uint32, int64, string (read), []byte (read, and written back). The result is the
	// function's.
	Invoke(module, function string, args ...any) int64
	// Wait blocks until the call that token names has completed.
	Wait(token uint32) Completion
}
