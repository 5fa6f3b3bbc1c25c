package listener

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"unsafe"
)

// requestIDHeader is on every answer. A client's own is not believed: ids would no longer be unique.
const requestIDHeader = "X-Request-Id"

const (
	idLength = 32 // hex digits of 16 random bytes
	idBatch  = 8  // ids made at once: one allocation for so many requests of a connection
)

// ids makes request ids. The generator of math/rand/v2 is seeded by the kernel, cannot be guessed from its output
// (ChaCha8), takes no lock and makes no system call.
type ids struct{ made string }

func (g *ids) next() string {
	if g.made == "" {
		g.made = makeIDs()
	}
	id := g.made[:idLength]
	g.made = g.made[idLength:]
	return id
}

func makeIDs() string {
	var raw [idBatch * idLength / 2]byte
	for i := 0; i < len(raw); i += 8 {
		binary.LittleEndian.PutUint64(raw[i:], rand.Uint64())
	}
	text := make([]byte, idBatch*idLength)
	hex.Encode(text, raw[:])
	return unsafe.String(unsafe.SliceData(text), len(text)) // text is never written to again
}
