package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	journalQueue = 256       // records that wait for the disk; more wait to get in
	journalSmall = 256 << 10 // bytes; a journal below is not written anew to save space
	journalRetry = 2 * time.Second
)

// errJournal: what was to be kept is known to this process only.
var errJournal = fmt.Errorf("%w: its journal cannot be written", ErrUnavailable)

// journal keeps what memory knows in a file. One goroutine writes: records that come while it waits for the disk go
// together, with one sync. The file is written anew, from memory, when it has grown to twice what is left of it, so it has at
// most twice the bytes of what memory may hold; and after an error, so what could not be written is tried again.
type journal struct {
	path    string
	lock    *os.File
	memory  *memory
	queue   chan entry
	ending  chan struct{}
	ended   chan struct{}
	close   sync.Once
	failing func(error) // told when writing begins to fail, and nil when it goes on

	file    *os.File // nil after an error
	size    int64
	fresh   int64 // size after it was written anew
	tried   time.Time
	problem error
}

type entry struct {
	line []byte
	done chan error // has room for the answer
}

// openJournal has m learn what the file at path says, and keeps it from then on. The file is made if it is not there.
func openJournal(path string, m *memory, failing func(error)) (j *journal, damaged int, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, 0, fmt.Errorf("cannot make the folder of the journal of sessions: %w", err)
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, 0, err
	}
	j = &journal{
		path: path, lock: lock, memory: m, failing: failing,
		queue: make(chan entry, journalQueue), ending: make(chan struct{}), ended: make(chan struct{}),
	}
	if damaged, err = j.load(); err == nil {
		err = j.renew()
	}
	if err != nil {
		return nil, 0, errors.Join(err, lock.Close())
	}
	go j.write()
	return j, damaged, nil
}

// lockFile keeps other gateways from the same journal. The lock ends with the process.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the journal of sessions: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = fmt.Errorf("cannot lock %q: another gateway keeps its sessions there (%w)", path, err)
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// load learns from the file.
func (j *journal) load() (damaged int, err error) {
	f, err := os.Open(j.path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot read the journal of sessions: %w", err)
	}
	defer func() { _ = f.Close() }()
	now := time.Now().UnixMilli()
	damaged, err = readJournal(f, func(r record) error {
		_, err := j.memory.learn(r, now)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("cannot read the journal of sessions %q: %w", j.path, err)
	}
	return damaged, nil
}

// append returns when r, which memory has learned before, is on the disk.
func (j *journal) append(ctx context.Context, r record) error {
	e := entry{line: appendLine(nil, r), done: make(chan error, 1)}
	select {
	case j.queue <- e:
	case <-j.ended:
		return errJournal
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-e.done:
		return err
	case <-j.ended:
		select {
		case err := <-e.done:
			return err
		default:
			return errJournal
		}
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write is the goroutine that owns the file.
func (j *journal) write() {
	defer close(j.ended)
	retry := time.NewTicker(journalRetry)
	defer retry.Stop()
	for {
		select {
		case e := <-j.queue:
			j.store(j.more(e))
		case <-retry.C:
			if j.file == nil {
				j.failing(j.renew())
			}
		case <-j.ending:
			select {
			case e := <-j.queue:
				j.store(j.more(e))
			default:
			}
			return
		}
	}
}

// more takes what else waits.
func (j *journal) more(first entry) []entry {
	all := []entry{first}
	for len(all) < journalQueue {
		select {
		case e := <-j.queue:
			all = append(all, e)
		default:
			return all
		}
	}
	return all
}

// store writes entries and tells those who wait.
func (j *journal) store(all []entry) {
	err := j.put(all)
	j.failing(err)
	for _, e := range all {
		e.done <- err
	}
}

func (j *journal) put(all []entry) error {
	switch {
	case j.file == nil && time.Since(j.tried) < journalRetry:
		return fmt.Errorf("%w: %w", errJournal, j.problem)
	case j.file == nil || j.size > journalSmall && j.size > 2*j.fresh:
		return j.renew() // memory knows these entries
	}
	var text []byte
	for _, e := range all {
		text = append(text, e.line...)
	}
	_, err := j.file.Write(text)
	if err == nil {
		err = j.file.Sync()
	}
	j.size += int64(len(text))
	if err != nil {
		return j.broken(err)
	}
	return nil
}

// broken gives the file up: nobody knows what is in it now.
func (j *journal) broken(err error) error {
	if j.file != nil {
		_ = j.file.Close() // there is an error already
	}
	j.file, j.tried, j.problem = nil, time.Now(), err
	return fmt.Errorf("%w: %w", errJournal, err)
}

// renew writes the file anew from what memory knows.
func (j *journal) renew() error {
	f, size, err := j.writeNew()
	if err != nil {
		return j.broken(err)
	}
	if j.file != nil {
		_ = j.file.Close() // its content is not needed any more
	}
	j.file, j.size, j.fresh = f, size, size
	return nil
}

func (j *journal) writeNew() (f *os.File, size int64, err error) {
	temporary := j.path + ".new"
	f, err = os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // there is an error already
		}
	}()
	out := bufio.NewWriterSize(f, 64<<10)
	_, _ = out.WriteString(journalHeader) // errors of a bufio.Writer stay until Flush
	size = int64(len(journalHeader))
	var line []byte
	j.memory.each(time.Now().UnixMilli(), func(r record) bool {
		line = appendLine(line[:0], r)
		n, err := out.Write(line)
		size += int64(n)
		return err == nil
	})
	if err = out.Flush(); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(temporary, j.path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(j.path))
	}
	return f, size, err
}

// syncFolder has the new name on the disk.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// end stops the writing, when what waits has been written.
func (j *journal) end() (err error) {
	j.close.Do(func() {
		close(j.ending)
		<-j.ended
		if j.file != nil {
			err = j.file.Close()
		}
		err = errors.Join(err, j.lock.Close())
	})
	return err
}
