package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"
)

// connections of the load; each has one request at a time. At 1,000 requests a second and 1 ms each one is busy at a time:
// the others are for when answers are late.
const connections = 64

// answer is one request of a load.
type answer struct {
	due  time.Time     // when it was to be sent
	took time.Duration // from then until the answer was there: what waits for its turn is not left out
}

// load asks for a URL so many times a second, whether answers come or not.
type load struct {
	stop func()
	all  sync.WaitGroup

	mu      sync.Mutex
	answers []answer
	failed  int
	why     error // of the first that failed
}

// ask begins a load of GETs with the gateway's token.
func (g *gateway) ask(ctx context.Context, url string, rate int) *load {
	ctx, cancel := context.WithCancel(ctx)
	l := &load{stop: cancel, answers: make([]answer, 0, 1<<16)}
	due := make(chan time.Time, 1<<16) // what nobody has sent yet: half a minute's worth and more
	for range connections {
		l.all.Go(func() {
			// A connection each, for as long as the load lasts: how many there are must not depend on how late answers were.
			client := &fasthttp.Client{
				MaxConnsPerHost: 1, MaxIdleConnDuration: time.Hour, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
			}
			for at := range due {
				l.ask(client, url, g.token, at)
			}
		})
	}
	l.all.Go(func() {
		defer close(due)
		tick(ctx, time.Second/time.Duration(rate), due)
	})
	return l
}

// tick sends the times at which requests are due. It sleeps in the kernel: Go's timers are late by up to a millisecond.
func tick(ctx context.Context, every time.Duration, due chan<- time.Time) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for next := time.Now(); ctx.Err() == nil; next = next.Add(every) {
		if wait := time.Until(next); wait > 0 {
			ts := unix.NsecToTimespec(int64(wait))
			_ = unix.Nanosleep(&ts, nil) // a signal only makes the request early
		}
		due <- next
	}
}

func (l *load) ask(client *fasthttp.Client, url, token string, due time.Time) {
	request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(response)
	request.SetRequestURI(url)
	request.Header.Set("Authorization", "Bearer "+token)
	err := client.Do(request, response)
	took := time.Since(due)
	if err == nil && response.StatusCode() != fasthttp.StatusOK {
		err = fmt.Errorf("status %d: %.200s", response.StatusCode(), response.Body())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers = append(l.answers, answer{due, took})
	if err != nil {
		if l.failed++; l.why == nil {
			l.why = err
		}
	}
}

// end stops the load and waits for the last answers.
func (l *load) end() {
	l.stop()
	l.all.Wait()
}

// between are the times of requests that were due in a span, sorted.
func (l *load) between(from, to time.Time) []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []time.Duration
	for _, a := range l.answers {
		if !a.due.Before(from) && a.due.Before(to) {
			all = append(all, a.took)
		}
	}
	slices.Sort(all)
	return all
}

// quantile is the value below which a share of sorted times lies; 0 of none.
func quantile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}
