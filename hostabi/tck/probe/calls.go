//go:build wasip1

package probe

import (
	"encoding/binary"

	"github.com/posternhq/postern/hostabi"
)

// calls tries what waits.
func calls(r *report) {
	r.completed("sleep", sleep(r.ex, 1), hostabi.OK)
	r.completed("sleep for no time", sleep(r.ex, 0), hostabi.OK)
	var tokens []int32
	for i := range uint32(100) {
		tokens = append(tokens, sleep(r.ex, (100-i)%7))
	}
	seen := map[uint32]bool{}
	for _, c := range r.guest.Await(tokens...) {
		seen[c.Token] = c.Code == hostabi.OK
	}
	r.is("a hundred calls side by side complete", int64(len(seen)), 100)
	long := sleep(r.ex, 60_000)
	r.is("cancel", int64(cancelCall(uint32(long))), 0)
	r.completed("a cancelled call", long, hostabi.Canceled)
	for name, token := range map[string]uint32{"0": 0, "never given": 0x7ffffff0, "completed": uint32(tokens[0]), "negative": huge} {
		r.code("cancel of token "+name, cancelCall(token), hostabi.NotFound)
	}
	r.is("completions when there are none", int64(completions(outAt(), 16)), 0)
	r.is("completions into no room", int64(completions(outAt(), 0)), 0)
	waits(r)
	r.is("error_of a call that is not there", int64(errorOf(r.ex, 99999, outAt(), 16)), 0)
}

// waits tries wait, which only synchronous guests may.
func waits(r *report) {
	token := sleep(r.ex, 300)
	binary.LittleEndian.PutUint32(in[:], uint32(token))
	at := put()
	at[0] = address(in[:])
	if !r.guest.Synchronous() {
		r.code("wait of an asynchronous guest", hostWait(at[0], 1, 1), hostabi.BadArgument)
		r.completed("the call it would have waited for", token, hostabi.OK)
		return
	}
	r.code("wait for less than it takes", hostWait(at[0], 1, 1), hostabi.Deadline)
	r.completed("the same call afterwards", token, hostabi.OK)
	r.is("wait for nothing", int64(hostWait(at[0], 0, 10)), 0)
	r.is("wait for what has completed", int64(hostWait(at[0], 1, 10)), 0)
	r.code("wait: tokens outside memory", hostWait(wild, 8, 10), hostabi.BadArgument)
	r.code("wait: more tokens than there can be", hostWait(at[0], huge, 10), hostabi.TooLarge)
}

// others tries what is left of postern/v1.
func others(r *report) {
	before := now()
	r.yes("now is later than the year 2020", before > 1577836800_000000000)
	r.yes("now does not go back", now() >= before)
	n := settings(outAt(), uint32(len(out)))
	r.yes("settings are an object", n >= 2 && out[0] == '{')
	buffers(r, "settings", n, settings)
	at := put("a line of the conformance kit")
	logLine(1, at[0], 29)
	logLine(99, at[0], 29)
	logLine(huge, at[0], 0)
	logLine(1, wild, 64)
	logLine(1, at[0], huge)
	r.yes("log survives wrong arguments", true)
	r.code("a function that fails", requestField(r.ex, 0, outAt(), 4), hostabi.BadArgument)
	said := lastError(0, 0)
	r.is("last_error: no buffer", int64(lastError(outAt(), uint32(len(out)))), int64(said))
}
