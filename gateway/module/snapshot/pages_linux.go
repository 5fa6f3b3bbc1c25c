package snapshot

import (
	"bytes"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// supported: copies share memory by private mappings of a file that exists in memory only.
const supported = true

// maxRuns bounds how many mappings a copy's memory is made of, twice: a process has 65,530 (vm.max_map_count), and each costs a
// system call. A Go guest has about 5.
const maxRuns = 32

// firstGap is the shortest stretch of zero bytes that is left out of the file.
const firstGap = 64 << 10

// pages are a memory, in a sealed memfd whose zero stretches take no room.
type pages struct {
	fd   int
	size int
	held int64
	runs []run
}

// run is a stretch of the memory that is not all zero; its bounds are those of pages.
type run struct{ from, to int }

func newPages(memory []byte) (pages, error) {
	fd, err := unix.MemfdCreate("postern-snapshot", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return pages{}, fmt.Errorf("cannot create a file for a snapshot: %w", err)
	}
	p := pages{fd: fd, size: len(memory), runs: runsOf(memory)}
	if err := p.write(memory); err != nil {
		_ = unix.Close(fd)
		return pages{}, err
	}
	return p, nil
}

func (p *pages) write(memory []byte) error {
	if err := unix.Ftruncate(p.fd, int64(p.size)); err != nil {
		return fmt.Errorf("cannot make a snapshot of %d bytes: %w", p.size, err)
	}
	for _, r := range p.runs {
		for at := r.from; at < r.to; {
			n, err := unix.Pwrite(p.fd, memory[at:r.to], int64(at))
			if err != nil {
				return fmt.Errorf("cannot write a snapshot: %w", err)
			}
			at += n
		}
		p.held += int64(r.to - r.from)
	}
	// From here on nobody can change what the copies see.
	seals := unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(p.fd), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("cannot seal a snapshot: %w", err)
	}
	return nil
}

// runsOf finds what is not zero, at most maxRuns stretches: the gaps between them are as long as that takes.
func runsOf(memory []byte) (runs []run) {
	for gap := firstGap; ; gap *= 2 {
		if runs = split(memory, gap); len(runs) <= maxRuns {
			return runs
		}
	}
}

func split(memory []byte, gap int) (runs []run) {
	page := os.Getpagesize()
	zero := make([]byte, page)
	for at := 0; at < len(memory); at += page {
		if bytes.Equal(memory[at:at+page], zero) {
			continue
		}
		if last := len(runs) - 1; last >= 0 && at-runs[last].to < gap {
			runs[last].to = at + page
		} else {
			runs = append(runs, run{at, at + page})
		}
	}
	return runs
}

func (p *pages) mapInto(room []byte) error {
	if len(room) == 0 {
		return nil
	}
	if err := unix.Mprotect(room, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		return fmt.Errorf("cannot open %d bytes for a snapshot: %w", len(room), err)
	}
	if err := unix.Madvise(room, unix.MADV_DONTNEED); err != nil { // what is not mapped below is zero
		return fmt.Errorf("cannot clear %d bytes for a snapshot: %w", len(room), err)
	}
	for _, r := range p.runs {
		_, err := unix.MmapPtr(p.fd, int64(r.from), unsafe.Pointer(&room[r.from]), uintptr(r.to-r.from),
			unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED|unix.MAP_NORESERVE)
		if err != nil {
			return fmt.Errorf("cannot map a snapshot: %w", err)
		}
	}
	return nil
}

func (p *pages) close() error {
	if err := unix.Close(p.fd); err != nil {
		return fmt.Errorf("cannot close a snapshot: %w", err)
	}
	return nil
}
