//go:build wasip1

package main

import (
	"encoding/binary"
	"unsafe"

	"github.com/posternhq/postern/hostabi"
	"github.com/posternhq/postern/hostabi/tck/probe"
)

func init() { probe.Group = "sync.tck.postern.io" }

//go:wasmimport postern/v1 wait
func hostWait(tokens unsafe.Pointer, n, milliseconds uint32) int32

//go:wasmimport postern/v1 completions
func hostCompletions(buf unsafe.Pointer, most uint32) int32

// guest waits by blocking in the host.
type guest struct{}

func (guest) Synchronous() bool { return true }

// Left has nothing to wait for: a synchronous guest is never told.
func (guest) Left(uint32) {}

func (guest) Await(tokens ...int32) []hostabi.Completion {
	list := make([]uint32, len(tokens))
	for i, t := range tokens {
		list[i] = uint32(t)
	}
	hostWait(unsafe.Pointer(unsafe.SliceData(list)), uint32(len(list)), 120_000)
	done := map[uint32]hostabi.Completion{}
	var buf [7 * hostabi.CompletionSize]byte // an odd number: the last batch is seldom full
	for n := int32(7); n == 7; {
		n = hostCompletions(unsafe.Pointer(&buf), 7)
		for b := buf[:max(n, 0)*hostabi.CompletionSize]; len(b) > 0; b = b[hostabi.CompletionSize:] {
			token := binary.LittleEndian.Uint32(b)
			done[token] = hostabi.Completion{
				Token: token, Code: hostabi.Code(binary.LittleEndian.Uint32(b[4:])),
				Handle: binary.LittleEndian.Uint32(b[8:]), Status: binary.LittleEndian.Uint32(b[12:]),
			}
		}
	}
	all := make([]hostabi.Completion, len(tokens))
	for i, t := range list {
		c, ok := done[t]
		if !ok {
			c.Code = hostabi.Internal
		}
		all[i] = c
	}
	return all
}

//go:wasmexport postern_handle
func handle(ex uint32) { probe.Serve(ex, guest{}) }

func main() {}
