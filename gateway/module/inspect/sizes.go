package inspect

import "encoding/binary"

// Sections of a module that are counted.
const (
	sectionCustom = 0
	sectionCode   = 10
	sectionData   = 11
)

// sizes adds up a module's sections. It stops where the file is malformed: compiling says how.
func sizes(wasm []byte) Size {
	s := Size{File: len(wasm)}
	for at := 8; at < len(wasm); {
		size, n := binary.Uvarint(wasm[at+1:])
		if n <= 0 || size > uint64(len(wasm)-at-1-n) {
			break
		}
		switch wasm[at] {
		case sectionCustom:
			s.Custom += int(size)
		case sectionCode:
			s.Code += int(size)
		case sectionData:
			s.Data += int(size)
		}
		at += 1 + n + int(size)
	}
	return s
}
