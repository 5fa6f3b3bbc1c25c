package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockPoll is how often a lock that another process holds is tried again.
const lockPoll = 200 * time.Millisecond

// exclusive runs work while no other stack of this repository runs work of the same name: two that start at the same time
// share the folder of binaries.
func (b *Builder) exclusive(ctx context.Context, name string, work func() error) error {
	file, err := os.OpenFile(filepath.Join(b.Bin, "."+name+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("cannot lock the building of %s: %w", name, err)
	}
	if err := b.lock(ctx, file, name); err != nil {
		return errors.Join(fmt.Errorf("cannot lock the building of %s: %w", name, err), file.Close())
	}
	return errors.Join(work(), file.Close()) // closing unlocks
}

func (b *Builder) lock(ctx context.Context, file *os.File, name string) error {
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for told := false; ; told = true {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if !told {
			b.Say("waiting for another stack that is building %s", name)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
