package snapshot

import "github.com/posternhq/postern/gateway/module/binary"

// section is one section of a module that a test puts together.
type section struct {
	id   byte
	body []byte
}

func assemble(sections ...section) []byte {
	out := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range sections {
		out = append(binary.AppendU32(append(out, s.id), uint32(len(s.body))), s.body...)
	}
	return out
}

func cat(parts ...[]byte) (out []byte) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// list is a list of entries with their count.
func list(entries ...[]byte) []byte {
	return append(binary.AppendU32(nil, uint32(len(entries))), cat(entries...)...)
}

func named(name string, rest ...byte) []byte { return append(binary.AppendName(nil, name), rest...) }

// body is a function without locals.
func body(code ...byte) []byte {
	return binary.AppendName(nil, string(cat([]byte{0}, code, []byte{opEnd})))
}

// at is an active data segment below 64 bytes.
func at(offset byte, text string) []byte {
	return cat([]byte{0, opI32Const, offset, opEnd}, binary.AppendName(nil, text))
}

const (
	i32 = 0x7f
	i64 = 0x7e
)

// counter is a guest with a byte of data and three globals, of which two change: count() grows the memory by a page, writes
// to it, and returns the sum of what it has seen so far.
func counter() map[byte]section {
	code := body(
		0x41, 1, 0x40, 0, 0x1a, // memory.grow 1, drop
		0x23, 0, 0x41, 1, 0x6a, 0x24, 0, // global 0 = global 0 + 1
		0x23, 2, 0x42, 2, 0x7c, 0x24, 2, // global 2 = global 2 + 2
		0x41, 8, 0x41, 8, 0x28, 0, 0, 0x23, 0, 0x6a, 0x36, 0, 0, // memory[8] = memory[8] + global 0
		0x41, 8, 0x28, 0, 0, // memory[8]
		0x23, 2, 0xa7, 0x6a, // + global 2
	)
	return map[byte]section{
		binary.SecType:     {binary.SecType, list([]byte{binary.FormFunc, 0, 1, i32})},
		binary.SecFunction: {binary.SecFunction, list([]byte{0})},
		binary.SecMemory:   {binary.SecMemory, list([]byte{1, 1, 8})},
		binary.SecGlobal: {binary.SecGlobal, list(
			[]byte{i32, 1, opI32Const, 7, opEnd}, []byte{i32, 0, opI32Const, 9, opEnd}, []byte{i64, 1, 0x42, 5, opEnd},
		)},
		binary.SecExport: {binary.SecExport, list(named("count", binary.KindFunc, 0))},
		binary.SecCode:   {binary.SecCode, list(code)},
		binary.SecData:   {binary.SecData, list(at(8, "\x03"), at(40, "here"))},
	}
}

// inOrder is a module of sections by id, in the order they must have.
func inOrder(sections map[byte]section) []byte {
	var all []section
	for _, id := range []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11} {
		if s, ok := sections[id]; ok {
			all = append(all, s)
		}
	}
	return assemble(all...)
}

// with is counter with sections replaced, or left out where they have no body.
func with(changed ...section) []byte {
	all := counter()
	for _, s := range changed {
		all[s.id] = s
		if s.body == nil {
			delete(all, s.id)
		}
	}
	return inOrder(all)
}
