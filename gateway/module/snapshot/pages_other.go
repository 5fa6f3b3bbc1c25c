//go:build !linux

package snapshot

import "errors"

// supported: there is no file in memory here whose pages could be shared, so every instance is made plainly.
const supported = false

type pages struct {
	size int
	held int64
}

func newPages([]byte) (pages, error) { return pages{}, errors.ErrUnsupported }

func (*pages) mapInto([]byte) error { return errors.ErrUnsupported }

func (*pages) close() error { return nil }
