//go:build wasip1

package probe

import (
	"strings"

	"github.com/posternhq/postern/hostabi"
)

// Group is the API group of the guest, which its main package sets.
var Group string

// tries are what can be asked for, by the first segment behind the version.
var tries = map[string]func(*report){
	"request": request, "response": response, "data": data, "calls": calls, "others": others,
	"http": httpService, "prometheus": prometheusService, "kube": kubeService, "query": queryService,
	"access": accessService, "accounts": accountsService,
}

// answers are the same for what the runner looks at itself.
var answers = map[string]func(*report){"mixed": mixed, "failed": failed, "forward": forward, "hang": hang, "ended": afterwards}

// later is what was found out when its own request had been answered.
var later []byte

// Serve answers an exchange with a report of what was tried. It may block in guest.Await.
func Serve(ex uint32, guest Guest) {
	path := text(requestField(ex, uint32(hostabi.FieldModulePath), outAt(), uint32(len(out))))
	what, _, _ := strings.Cut(strings.TrimPrefix(path, "/v1/"), "/")
	r := &report{ex: ex, guest: guest}
	switch {
	case tries[what] != nil:
		tries[what](r)
		r.send(string(r.lines))
	case answers[what] != nil:
		answers[what](r)
		responseEnd(ex)
	case what == "later":
		r.send(string(later))
		later = nil
	default:
		fail(ex, 404, "the conformance kit has no "+what)
		responseEnd(ex)
	}
}

// send ends the exchange with a text.
func (r *report) send(s string) {
	setHeader(r.ex, "Content-Type", "text/plain; charset=utf-8")
	for len(s) > 0 {
		piece := s[:min(len(s), 32<<10)]
		write(r.ex, piece)
		s = s[len(piece):]
	}
	responseEnd(r.ex)
}

// forward hands the exchange to the runner.
func forward(r *report) {
	crooked(r, "http forward", httpForward, hostabi.TagBackend, "tck")
	token := r.call(httpForward, record(hostabi.TagBackend, "tck", hostabi.TagPath, "/forwarded", hostabi.TagHeader, "X-Tck: forwarded", hostabi.TagDropHeader, "X-Drop"))
	c := r.guest.Await(token)[0]
	later = append(later, r.lines...)
	if c.Code != hostabi.OK {
		fail(r.ex, 502, c.Code.String())
	}
}

// hang waits until the client leaves, and notes how the call ended then.
func hang(r *report) {
	r.completed("a call whose client has left", sleep(r.ex, 60_000), hostabi.Canceled)
	r.guest.Left(r.ex)
	ended(r, "whose client has left", r.ex)
	later = append(later, r.lines...)
}

// afterwards ends the exchange and tries to go on with it.
func afterwards(r *report) {
	write(r.ex, "ended")
	r.is("response_end", int64(responseEnd(r.ex)), 0)
	ended(r, "that has ended", r.ex)
	later = append(later, r.lines...)
}
