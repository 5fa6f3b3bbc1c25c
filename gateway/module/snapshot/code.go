package snapshot

import "github.com/posternhq/postern/gateway/module/binary"

const (
	opEnd      = 0x0b
	opTableSet = 0x26
	opI32Const = 0x41
	opMisc     = 0xfc
)

// hidden are the instructions behind 0xfc whose effects the host cannot see, or not undo.
var hidden = map[byte]string{
	8: "memory.init", 9: "data.drop", 12: "table.init", 13: "elem.drop", 14: "table.copy", 15: "table.grow", 17: "table.fill",
}

// code looks for instructions that change what a snapshot does not have.
func (p *preparer) code(s *binary.Reader) {
	for range s.Count(2, "functions") {
		f := s.Sub(s.Count(1, "bytes of code"))
		for range f.Count(2, "groups of locals") {
			f.U32()
			f.ValueType()
		}
		for f.More() {
			switch op, second := f.Instruction(); op {
			case opTableSet:
				p.refuse("the instruction table.set")
				return
			case opMisc:
				if name := hidden[second]; name != "" && f.Err == nil {
					p.refuse("the instruction " + name)
					return
				}
			}
		}
		s.Join(&f, "function")
	}
}
