package service

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/posternhq/postern/hostabi"
)

// Broken is the result of a request whose answer did not come, or not whole: the deadline, the client's leaving, or
// what is wrong with the backend, in this order.
func Broken(ctx context.Context, backend string, err error) Result {
	switch {
	case errors.Is(err, hostabi.TooLarge):
		return Failf(hostabi.TooLarge, "%s: %v", backend, err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return Failf(hostabi.Deadline, "%s did not answer in time", backend)
	case ctx.Err() != nil:
		return Failf(hostabi.Canceled, "the request to %s was given up", backend)
	}
	return Failf(hostabi.Unavailable, "cannot reach %s: %v", backend, err)
}

// ReadBody reads r to its end. size is what is announced, -1 if nothing. A body of more than most bytes is an error that
// wraps hostabi.TooLarge, and is not read further.
func ReadBody(r io.Reader, size, most int64) ([]byte, error) {
	if size > most {
		return nil, tooLarge(most)
	}
	// One byte more than announced, so that the end is seen without growing; a backend's word is not worth more than
	// 1 MiB in advance.
	buf := make([]byte, 0, min(max(size+1, 4<<10), 1<<20))
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > most:
			return nil, tooLarge(most)
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return nil, fmt.Errorf("cannot read the answer: %w", err)
		}
	}
}

func tooLarge(most int64) error {
	return fmt.Errorf("the answer has more than %d bytes: %w", most, hostabi.TooLarge)
}
