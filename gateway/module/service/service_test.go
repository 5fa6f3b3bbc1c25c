package service

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/posternhq/postern/hostabi"
)

func TestParseArgs(t *testing.T) {
	once, many := []hostabi.Tag{hostabi.TagExpr}, []hostabi.Tag{hostabi.TagMatch}
	good := hostabi.Record(nil).Append(hostabi.TagExpr, "up").Append(hostabi.TagMatch, "a").Append(hostabi.TagMatch, "b").
		Append(hostabi.TagTimeout, "5").Append(hostabi.TagBody, "x")
	args, err := ParseArgs(&Call{Record: good}, once, many)
	if err != nil || args.Get(hostabi.TagExpr) != "up" || len(args[hostabi.TagMatch]) != 2 {
		t.Errorf("%v, %v", args, err)
	}
	if got := args.Default(hostabi.TagMethod, "GET"); got != "GET" {
		t.Errorf("default is %q", got)
	}
	for name, record := range map[string]hostabi.Record{
		"unknown": hostabi.Record(nil).Append(hostabi.TagBackend, "x"),
		"twice":   good.Append(hostabi.TagExpr, "down"),
		"timeout": good.Append(hostabi.TagTimeout, "6"),
	} {
		if _, err := ParseArgs(&Call{Record: record}, once, many); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestPayload(t *testing.T) {
	record := hostabi.Record(nil).Append(hostabi.TagBody, "inline")
	if got := (&Call{Record: record}).Payload(); string(got) != "inline" {
		t.Errorf("%q", got)
	}
	if got := (&Call{Record: record, Body: []byte("handle")}).Payload(); string(got) != "handle" {
		t.Errorf("%q", got)
	}
}

func TestReadBody(t *testing.T) {
	body := strings.Repeat("x", 100_000)
	for _, size := range []int64{-1, 0, 10, int64(len(body))} {
		got, err := ReadBody(iotest.HalfReader(strings.NewReader(body)), size, int64(len(body)))
		if err != nil || string(got) != body {
			t.Errorf("announced %d: %d bytes, %v", size, len(got), err)
		}
	}
	for _, size := range []int64{-1, 10, 200_000} {
		if _, err := ReadBody(strings.NewReader(body), size, 99_999); !errors.Is(err, hostabi.TooLarge) {
			t.Errorf("announced %d: %v", size, err)
		}
	}
	if _, err := ReadBody(io.MultiReader(bytes.NewReader([]byte("x")), iotest.ErrReader(io.ErrUnexpectedEOF)), -1, 9); err == nil {
		t.Error("half a body passes")
	}
}

func TestBroken(t *testing.T) {
	done, cancel := context.WithCancel(context.Background())
	cancel()
	late, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	for code, r := range map[hostabi.Code]Result{
		hostabi.Canceled:    Broken(done, "b", context.Canceled),
		hostabi.Deadline:    Broken(late, "b", context.DeadlineExceeded),
		hostabi.Unavailable: Broken(context.Background(), "b", io.ErrUnexpectedEOF),
		hostabi.TooLarge:    Broken(context.Background(), "b", tooLarge(1)),
	} {
		if r.Code != code || r.Err == "" {
			t.Errorf("%v: %+v", code, r)
		}
	}
}
