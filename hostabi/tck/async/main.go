//go:build wasip1

package main

import (
	"encoding/binary"
	"runtime"
	"unsafe"

	"github.com/posternhq/postern/hostabi"
	"github.com/posternhq/postern/hostabi/tck/probe"
)

func init() { probe.Group = "async.tck.postern.io" }

//go:wasmimport postern/v1 completions
func hostCompletions(buf unsafe.Pointer, most uint32) int32

// done are completions that have come, waiting the goroutines that want one.
var (
	done    = map[uint32]hostabi.Completion{}
	waiting = map[uint32]chan struct{}{}
	left    = map[uint32]bool{} // exchanges that are over
	leaving = map[uint32]chan struct{}{}
	inbox   [7 * hostabi.CompletionSize]byte
)

// guest waits by parking its goroutine.
type guest struct{}

func (guest) Synchronous() bool { return false }

func (guest) Left(ex uint32) {
	for !left[ex] {
		leaving[ex] = make(chan struct{})
		<-leaving[ex]
	}
}

func (guest) Await(tokens ...int32) []hostabi.Completion {
	var all []hostabi.Completion
	for _, t := range tokens {
		token := uint32(t)
		if _, ok := done[token]; !ok {
			waiting[token] = make(chan struct{})
			<-waiting[token]
		}
		all = append(all, done[token])
		delete(done, token)
	}
	return all
}

//go:wasmexport postern_start
func start(ex uint32) { go probe.Serve(ex, guest{}) }

//go:wasmexport postern_run
func run() {
	for n := int32(7); n == 7; {
		n = hostCompletions(unsafe.Pointer(&inbox), 7)
		for b := inbox[:max(n, 0)*hostabi.CompletionSize]; len(b) > 0; b = b[hostabi.CompletionSize:] {
			take(b)
		}
	}
	for range 200 {
		runtime.Gosched()
	}
}

func take(b []byte) {
	token := binary.LittleEndian.Uint32(b)
	done[token] = hostabi.Completion{
		Token: token, Code: hostabi.Code(binary.LittleEndian.Uint32(b[4:])),
		Handle: binary.LittleEndian.Uint32(b[8:]), Status: binary.LittleEndian.Uint32(b[12:]),
	}
	if w := waiting[token]; w != nil {
		delete(waiting, token)
		close(w)
	}
}

//go:wasmexport postern_cancel
func cancel(ex uint32) {
	left[ex] = true
	if w := leaving[ex]; w != nil {
		delete(leaving, ex)
		close(w)
	}
}

func main() {}
