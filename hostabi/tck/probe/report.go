//go:build wasip1

package probe

import (
	"strconv"
	"strings"

	"github.com/posternhq/postern/hostabi"
)

// Guest is how one kind of guest waits for calls.
type Guest interface {
	// Await blocks until the calls have completed; their completions in the tokens' order.
	Await(tokens ...int32) []hostabi.Completion
	// Left blocks until the host has said that an exchange is over.
	Left(ex uint32)
	// Synchronous says whether the guest may use wait.
	Synchronous() bool
}

// report is what one request tries, a line for each try.
type report struct {
	ex    uint32
	guest Guest
	lines []byte
}

func (r *report) line(ok bool, name, got, want string) {
	name = plain.Replace(name) // a check is a line
	if ok {
		r.lines = append(append(append(r.lines, "ok "...), name...), '\n')
		return
	}
	r.lines = append(r.lines, "FAIL "+name+": got "+got+", want "+want+"\n"...)
}

var plain = strings.NewReplacer("\n", "\\n", "\r", "\\r", "\x00", "\\0")

// is compares a result, which is a value or a negated code.
func (r *report) is(name string, got, want int64) {
	r.line(got == want, name, number(got), number(want))
}

// code wants a function to fail with one.
func (r *report) code(name string, got int32, want hostabi.Code) {
	r.is(name, int64(got), -int64(want))
}

// text compares what a function has written.
func (r *report) text(name, got, want string) {
	r.line(got == want, name, strconv.Quote(got), strconv.Quote(want))
}

// yes wants a condition to hold.
func (r *report) yes(name string, ok bool) { r.line(ok, name, "no", "yes") }

// number is a result in words.
func number(n int64) string {
	if n < 0 {
		return strconv.FormatInt(n, 10) + " (" + hostabi.Code(-n).String() + ")"
	}
	return strconv.FormatInt(n, 10)
}

// completed waits for one call and wants it to end with a code.
func (r *report) completed(name string, token int32, want hostabi.Code) hostabi.Completion {
	if token <= 0 {
		r.line(false, name+": a token", number(int64(token)), "a number greater than 0")
		return hostabi.Completion{}
	}
	c := r.guest.Await(token)[0]
	r.is(name, -int64(c.Code), -int64(want))
	return c
}

// handle is what a handle holds.
func (r *report) handle(handle uint32) string {
	return text(handleRead(r.ex, handle, 0, outAt(), uint32(len(out))))
}

// keep makes a handle of a text.
func (r *report) keep(s string) uint32 {
	at := put(s)
	return uint32(handleNew(r.ex, at[0], uint32(len(s))))
}
