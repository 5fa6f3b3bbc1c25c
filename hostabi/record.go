package hostabi

import (
	"encoding/binary"
	"fmt"
	"iter"
)

// MaxFields bounds a record: more is a malformed one.
const MaxFields = 256

// Record is the encoding of a host call's arguments: fields of tag (u32), length (u32) and bytes, little-endian, with no
// padding, in any order. It needs no escaping, so nothing in a value can become another field.
type Record []byte

// Append adds a field to r.
func (r Record) Append(tag Tag, value string) Record {
	r = binary.LittleEndian.AppendUint32(r, uint32(tag))
	r = binary.LittleEndian.AppendUint32(r, uint32(len(value)))
	return append(r, value...)
}

// Validate says whether r is well-formed: whole fields, at most MaxFields.
func (r Record) Validate() error {
	for n, rest := 0, []byte(r); len(rest) > 0; n++ {
		if n == MaxFields {
			return fmt.Errorf("record has more than %d fields", MaxFields)
		}
		if len(rest) < 8 {
			return fmt.Errorf("record ends within the head of field %d", n)
		}
		size := binary.LittleEndian.Uint32(rest[4:])
		if uint64(size) > uint64(len(rest)-8) {
			return fmt.Errorf("field %d has length %d, but %d bytes are left", n, size, len(rest)-8)
		}
		rest = rest[8+size:]
	}
	return nil
}

// All are r's fields in order. It stops at a malformed one: call Validate first.
func (r Record) All() iter.Seq2[Tag, []byte] {
	return func(yield func(Tag, []byte) bool) {
		for rest := []byte(r); len(rest) >= 8; {
			tag, size := Tag(binary.LittleEndian.Uint32(rest)), binary.LittleEndian.Uint32(rest[4:])
			if uint64(size) > uint64(len(rest)-8) || !yield(tag, rest[8:8+size]) {
				return
			}
			rest = rest[8+size:]
		}
	}
}

// Get is the first field with tag, or nil.
func (r Record) Get(tag Tag) []byte {
	for t, value := range r.All() {
		if t == tag {
			return value
		}
	}
	return nil
}
