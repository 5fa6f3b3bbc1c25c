//go:build wasip1

package guest

import (
	"context"
	"encoding/binary"
	"runtime"
	"time"
	"unsafe"

	"github.com/posternhq/postern/hostabi"
)

//go:wasmimport postern/v1 completions
func abiCompletions(buf unsafe.Pointer, most uint32) int32

// batch is how many completions are read at once.
const batch = 64

// share is how long one entry into the guest may keep requests going that have something to do. The host throws an
// instance away that is inside for too long (cpuPerCall, 1 s by default), and many small pieces of work come together.
const share = 100 * time.Millisecond

// The state of the instance. Its goroutines run one at a time, so nothing needs a lock.
var (
	cancels = map[uint32]context.CancelFunc{}      // by exchange
	waiters = map[uint32]chan hostabi.Completion{} // by token
	early   = map[uint32]hostabi.Completion{}      // completed before anybody waited
	inbox   [batch * hostabi.CompletionSize]byte   // completions as the host writes them
	entered time.Time                              // when the host began to run the guest
)

// start notes a request; run has it served.
//
//go:wasmexport postern_start
func start(ex uint32) { go serve(ex) }

// run wakes the goroutines whose calls have completed and lets all run until each waits. The export's own goroutine is
// put behind all others by Gosched, so it is back when they are parked; only every 61st time the scheduler prefers it,
// so several rounds make sure. What is left runs at the next entry, as does what completes meanwhile.
//
//go:wasmexport postern_run
func run() {
	all := int32(0)
	for n := int32(batch); n == batch; all += n {
		n = max(abiCompletions(unsafe.Pointer(&inbox), batch), 0)
		for i := range n {
			deliver(inbox[i*hostabi.CompletionSize:])
		}
	}
	entered = time.Now()
	for n := int32(0); n < 3+all/16 && time.Since(entered) < 2*share; n++ {
		runtime.Gosched()
	}
}

func deliver(b []byte) {
	c := hostabi.Completion{
		Token: binary.LittleEndian.Uint32(b), Code: hostabi.Code(binary.LittleEndian.Uint32(b[4:])),
		Handle: binary.LittleEndian.Uint32(b[8:]), Status: binary.LittleEndian.Uint32(b[12:]),
	}
	if w := waiters[c.Token]; w != nil {
		delete(waiters, c.Token)
		w <- c
		return
	}
	early[c.Token] = c
}

// wait parks the goroutine until the call has completed.
func wait(ex, token uint32) hostabi.Completion {
	c := completion(token)
	breathe(ex)
	return c
}

// breathe parks the goroutine until the host enters the guest again, if this entry has had its share. A sleep makes sure
// that the host does; without room for one there are other calls whose ends make it.
func breathe(ex uint32) {
	for time.Since(entered) > share {
		if token := sleep(ex, 0); token >= 0 {
			completion(uint32(token))
		} else if hostabi.Code(-token) == hostabi.Busy {
			time.Sleep(time.Millisecond)
		} else {
			return
		}
	}
}

// completion parks the goroutine until the call has completed.
func completion(token uint32) hostabi.Completion {
	if c, ok := early[token]; ok {
		delete(early, token)
		return c
	}
	w := make(chan hostabi.Completion, 1)
	waiters[token] = w
	return <-w
}

// cancel ends an exchange's context.
//
//go:wasmexport postern_cancel
func cancel(ex uint32) {
	if f := cancels[ex]; f != nil {
		f()
	}
}

// begin makes the context of an exchange.
func begin(ex uint32) context.Context {
	ctx, f := context.WithCancel(context.Background())
	cancels[ex] = f
	return ctx
}

// finish frees it.
func finish(ex uint32) {
	if f := cancels[ex]; f != nil {
		f()
		delete(cancels, ex)
	}
}

// selfCheck runs what SelfCheck set; 1 keeps the module from serving.
//
//go:wasmexport postern_check
func selfCheck() int32 {
	if check == nil {
		return 0
	}
	if err := check(); err != nil {
		Log(hostabi.LevelError, "self-check: "+err.Error())
		return 1
	}
	return 0
}
