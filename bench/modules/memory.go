package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// rss is a process's resident memory, MiB.
func rss(pid int) (float64, error) { return statusValue(pid, "VmRSS:") }

// statusValue reads a value of /proc/PID/status, which are in kB; MiB.
func statusValue(pid int, key string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, key); found {
			kb, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			return kb / 1024, err
		}
	}
	return 0, fmt.Errorf("no %s in the status of process %d", key, pid)
}

// held is what a process has of the system.
type held struct {
	rss, mapped        float64 // MiB
	fds, maps, threads float64
}

// holds reads it.
func holds(pid int) (h held, err error) {
	if h.rss, err = rss(pid); err != nil {
		return h, err
	}
	if h.mapped, err = statusValue(pid, "VmSize:"); err != nil {
		return h, err
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return h, err
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return h, err
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	h.fds, h.maps, h.threads = float64(len(fds)), float64(bytes.Count(maps, []byte{'\n'})), float64(len(tasks))
	return h, err
}

// peak is the most memory that a process had while it was watched.
type peak struct {
	once sync.Once
	quit chan struct{}
	done chan struct{}
	most float64
}

// watchPeak looks at a process every 10 ms until stop.
func watchPeak(pid int) *peak {
	p := &peak{quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		every := time.NewTicker(10 * time.Millisecond)
		defer every.Stop()
		for {
			select {
			case <-p.quit:
				return
			case <-every.C:
				if now, err := rss(pid); err == nil {
					p.most = max(p.most, now)
				}
			}
		}
	}()
	return p
}

// stop gives the peak, MiB.
func (p *peak) stop() float64 {
	p.once.Do(func() { close(p.quit) })
	<-p.done
	return p.most
}

// sleep waits, at most until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
