package upstream

import "sync"

// A buffer keeps room before and after what is read into it, so that a body can be framed as a chunk where it lies.
const (
	headroom = 18 // the longest chunk size, 16 hex digits, and CRLF
	tailroom = 2  // CRLF
)

// The sizes that pay: a head and most answers fit 4 KiB, which is what a watch holds for hours; bulk moves in 32 KiB;
// 64 KiB is the longest head.
const maxHead = 64 << 10

var (
	small = class{size: 4 << 10}
	large = class{size: 32 << 10}
	huge  = class{size: maxHead + headroom + tailroom}
)

func init() {
	for _, c := range []*class{&small, &large, &huge} {
		c.pool.New = func() any { return &buffer{b: make([]byte, c.size), class: c} }
	}
}

// class is the buffers of one size.
type class struct {
	size int
	pool sync.Pool
}

func (c *class) get() *buffer { return c.pool.Get().(*buffer) }

// payload is how many bytes can be read into one of c's buffers.
func (c *class) payload() int { return c.size - headroom - tailroom }

type buffer struct {
	b     []byte
	class *class
}

func (b *buffer) free()    { b.class.pool.Put(b) }
func (b *buffer) end() int { return len(b.b) - tailroom }

// larger is an empty buffer of the next size; nil behind the last.
func (b *buffer) larger() *buffer {
	switch b.class {
	case &small:
		return large.get()
	case &large:
		return huge.get()
	}
	return nil
}
