package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/posternhq/postern/gateway/module/binary"
)

// globalPrefix begins the names under which Prepare exports mutable globals; their index follows.
const globalPrefix = "postern.global."

// ErrPlain is wrapped by every error of Prepare: instances of the module have to be made plainly, each on its own.
var ErrPlain = errors.New("instances cannot be copied")

// Prepare returns a copy of wasm that has no data, and exports its mutable globals; the plan has the data. Instances of it mean
// the same as those of wasm once Plan.Fill has been called. It does so for modules all of whose state can be seen from outside
// between two calls: one memory, numbers in globals, and tables that never change. Others it refuses, as it does
// what it cannot read; wasm is as good as before then. The error says why and wraps ErrPlain.
func Prepare(wasm []byte) ([]byte, *Plan, error) {
	if !supported {
		return nil, nil, fmt.Errorf("%w: not on this system", ErrPlain)
	}
	p := &preparer{Reader: binary.Reader{B: wasm, End: len(wasm)}, plan: &Plan{}, segments: -1}
	p.out = make([]byte, 0, len(wasm)+256)
	for _, c := range []byte("\x00asm\x01\x00\x00\x00") {
		p.Want(c, "byte of magic and version")
	}
	p.out = append(p.out, wasm[:p.Pos]...)
	for p.More() && p.plain == "" {
		p.section()
	}
	p.exportAll(len(binary.SectionOrder))
	switch {
	case p.plain != "":
		return nil, nil, fmt.Errorf("%w: %s", ErrPlain, p.plain)
	case p.Err != nil:
		return nil, nil, fmt.Errorf("%w: %w", ErrPlain, p.Err)
	case p.memories != 1:
		return nil, nil, fmt.Errorf("%w: no memory of its own", ErrPlain)
	}
	return p.out, p.plan, nil
}

// preparer reads a module and writes the prepared one.
type preparer struct {
	binary.Reader
	out      []byte
	plan     *Plan
	plain    string // why the module cannot be prepared; the first reason stays
	memories int
	mutable  []int // indexes of mutable globals
	exported bool  // the export section has been written
	last     int   // rank of the section before
	segments int   // as the data count section announces them; -1: it does not
}

func (p *preparer) refuse(why string) {
	if p.plain == "" {
		p.plain = why
	}
	p.Pos = p.End
}

// section copies one section, changed if need be.
func (p *preparer) section() {
	start := p.Pos
	id := p.Byte()
	s := p.Sub(p.Count(1, "section bytes"))
	if p.Err != nil {
		return
	}
	if id == binary.SecCustom {
		p.out = append(p.out, p.B[start:p.Pos]...)
		return
	}
	if int(id) >= len(binary.SectionOrder) {
		p.Fail(start, "unknown section %d", id)
		return
	}
	rank := binary.SectionOrder[id]
	if rank <= p.last {
		p.Fail(start, "section %d is out of order", id)
		return
	}
	p.last = rank
	p.exportAll(rank)
	if p.known(id, &s) {
		p.out = append(p.out, p.B[start:p.Pos]...)
	}
	if p.plain == "" {
		p.Join(&s, "section")
	}
}

// known reads a section; true if it is to be copied as it is.
func (p *preparer) known(id byte, s *binary.Reader) bool {
	switch id {
	case binary.SecImport:
		p.imports(s)
	case binary.SecMemory:
		p.memories = s.Count(2, "memories")
		s.Pos = s.End
	case binary.SecGlobal:
		p.globals(s)
	case binary.SecExport:
		p.exports(s)
		return false
	case binary.SecStart:
		p.refuse("a start function, which runs before the memory has its data")
	case binary.SecDataCount:
		p.segments = int(s.U32())
		return false
	case binary.SecCode:
		p.code(s)
	case binary.SecData:
		p.dataSection(s)
		return false
	default:
		s.Pos = s.End
	}
	return true
}

func (p *preparer) imports(s *binary.Reader) {
	for range s.Count(4, "imports") {
		s.Name()
		s.Name()
		if kind := s.Byte(); kind != binary.KindFunc && s.Err == nil {
			p.refuse("imports of more than functions")
			return
		}
		s.U32()
	}
}

func (p *preparer) globals(s *binary.Reader) {
	for i := range s.Count(4, "globals") {
		t, mutable := s.Byte(), s.Byte() != 0
		for op := byte(0); op != opEnd && s.More(); {
			op, _ = s.Instruction()
		}
		if !mutable || s.Err != nil {
			continue
		}
		if t <= binary.TypeV128 || t > binary.TypeI32 {
			p.refuse("a mutable global that is not a number of at most 64 bits")
			return
		}
		p.mutable = append(p.mutable, i)
		p.plan.globals = append(p.plan.globals, globalPrefix+strconv.Itoa(i))
	}
}

// exports writes the section with the mutable globals added.
func (p *preparer) exports(s *binary.Reader) {
	n := s.Count(3, "exports")
	start := s.Pos
	for range n {
		if strings.HasPrefix(s.Name(), globalPrefix) {
			p.refuse("an export called " + globalPrefix + "…")
			return
		}
		s.Byte()
		s.U32()
	}
	p.writeExports(n, s.B[start:s.Pos])
}

// exportAll writes an export section of its own when the sections ranked from rank on come and there was none.
func (p *preparer) exportAll(rank int) {
	if !p.exported && rank > binary.SectionOrder[binary.SecExport] && len(p.mutable) > 0 {
		p.writeExports(0, nil)
	}
}

func (p *preparer) writeExports(n int, entries []byte) {
	body := append(binary.AppendU32(nil, uint32(n+len(p.mutable))), entries...)
	for i, global := range p.mutable {
		body = append(binary.AppendName(body, p.plan.globals[i]), binary.KindGlobal)
		body = binary.AppendU32(body, uint32(global))
	}
	p.out = binary.AppendU32(append(p.out, binary.SecExport), uint32(len(body)))
	p.out = append(p.out, body...)
	p.exported = true
}

// dataSection takes the segments out: they are copied, so that the plan does not keep the whole module in memory.
func (p *preparer) dataSection(s *binary.Reader) {
	base := s.Pos
	kept := bytes.Clone(s.B[s.Pos:s.End])
	n := s.Count(2, "data segments")
	if p.segments >= 0 && p.segments != n {
		s.Fail(base, "%d data segments, %d are announced", n, p.segments)
	}
	for range n {
		offset, ok := p.active(s)
		if !ok {
			return
		}
		size := s.Count(1, "data bytes")
		at := s.Pos - base
		s.Skip(size)
		if s.Err != nil {
			return
		}
		p.plan.data = append(p.plan.data, segment{offset, kept[at : at+size]})
	}
}

// active reads a segment's form and offset.
func (p *preparer) active(s *binary.Reader) (offset uint32, ok bool) {
	at := s.Pos
	switch form := s.U32(); form {
	case 0:
	case 1:
		p.refuse("passive data segments")
		return 0, false
	case 2:
		s.Want(0, "index of the memory")
	default:
		s.Fail(at, "unknown form of data segment %d", form)
	}
	if s.Err != nil {
		return 0, false
	}
	if s.Byte() != opI32Const {
		p.refuse("a data segment whose place is not a constant")
		return 0, false
	}
	at = s.Pos
	v := s.S33()
	if v != int64(int32(v)) {
		s.Fail(at, "offset %d does not fit in 32 bits", v)
	}
	offset = uint32(v)
	s.Want(opEnd, "instruction after an offset")
	return offset, s.Err == nil
}
