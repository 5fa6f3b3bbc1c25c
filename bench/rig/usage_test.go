package rig

import (
	"os"
	"syscall"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const rest = " S 1 4242 4242 0 -1 4194560 1000 0 0 0 1234 567 0 0 20 0 8 0 99999 1234567890 7890 18446744073709551615 1 1 0 0 0 0 0 0 2143420159 0 0 0 17 1 0 0 0 0 0\n"
	for _, name := range []string{"4243 (postern)", "4243 (nginx: worker)", "4243 (a) b (c)"} {
		s, err := parseStat([]byte(name + rest))
		if want := (stat{group: 4242, cpu: 18010 * time.Millisecond, pages: 7890}); err != nil || s != want {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	for _, text := range []string{"", "1 (x", "1 (x) S 1 2", "4243 (x) S 1 x 4242 0 -1 4194560 1000 0 0 0 1234 567 0 0 20 0 8 0 99999 1234567890 7890\n"} {
		if _, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestGroupUsage(t *testing.T) {
	u, err := GroupUsage(syscall.Getpgrp())
	if err != nil || u.Processes < 1 || u.RSS < int64(os.Getpagesize()) {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := GroupUsage(1 << 30); err == nil {
		t.Error("a group that cannot be has processes")
	}
}
