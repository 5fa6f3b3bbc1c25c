package fuel

import (
	"slices"

	"github.com/posternhq/postern/gateway/module/binary"
)

// module is a binary between being read and being written.
//
// What is added goes to the end of its index space, with one exception: the imported function, since imports come first.
// It takes index funcImports, and every defined function moves up by one.
type module struct {
	wasm  []byte
	opts  Options
	parts []part

	params      []uint32 // number of parameters of each type
	funcImports uint32
	funcs       uint32 // functions of the input, imported ones included
	globals     uint32 // globals of the input, imported ones included
	memories    uint32
	tables      uint32

	bodies []body
	sites  []site
}

// part is one section of the result. The payload of the code section is written by emit.
type part struct {
	id      byte
	payload []byte
	at      int // offset of the payload in the input; 0 for an added section
	// first moves a custom section without content to the front: the runtime takes it for a cut file if nothing follows.
	first bool
}

// Indexes in the result.
func (m *module) spendType() uint32  { return uint32(len(m.params)) }
func (m *module) spendFunc() uint32  { return m.funcImports }
func (m *module) refillFunc() uint32 { return m.funcs + 1 }
func (m *module) fuelGlobal() uint32 { return m.globals }
func (m *module) sizeGlobal() uint32 { return m.globals + 1 } // size of a bulk instruction while its steps are counted

func (m *module) moved(f uint32) uint32 {
	if f >= m.funcImports {
		return f + 1
	}
	return f
}

// maxInput keeps every offset in the 32 bits that a site has for it.
const maxInput = 1 << 30

func parse(wasm []byte, opts Options) (*module, error) {
	m := &module{wasm: wasm, opts: opts}
	r := binary.Reader{B: wasm, End: len(wasm)}
	if len(wasm) > maxInput {
		r.Fail(0, "%d bytes are more than %d", len(wasm), maxInput)
	}
	for _, c := range []byte("\x00asm\x01\x00\x00\x00") {
		r.Want(c, "byte of magic and version")
	}
	last := 0
	for r.More() {
		m.section(&r, &last)
	}
	if r.Err == nil {
		m.addMissing(&r, last, len(binary.SectionOrder))
	}
	if r.Err == nil {
		m.renameAll(&r)
	}
	if r.Err != nil {
		return nil, r.Err
	}
	m.choose()
	return m, nil
}

// section reads one section. last is the rank of the section before.
func (m *module) section(r *binary.Reader, last *int) {
	at := r.Pos
	id := r.Byte()
	s := r.Sub(r.Count(1, "section bytes"))
	if r.Err != nil {
		return
	}
	if id == binary.SecCustom {
		m.custom(&s)
		r.Join(&s, "custom section")
		return
	}
	if int(id) >= len(binary.SectionOrder) {
		r.Fail(at, "unknown section %d", id)
		return
	}
	rank := binary.SectionOrder[id]
	if rank <= *last {
		r.Fail(at, "section %d is out of order", id)
		return
	}
	m.addMissing(r, *last, rank)
	*last = rank
	m.known(&s, id)
	r.Join(&s, "section")
}

// addMissing adds, empty but for our own entry, the sections ranked after last and before rank that the result needs.
func (m *module) addMissing(r *binary.Reader, last, rank int) {
	for _, id := range []byte{binary.SecType, binary.SecImport, binary.SecFunction, binary.SecGlobal, binary.SecExport, binary.SecCode} {
		if o := binary.SectionOrder[id]; o > last && o < rank {
			s := binary.Reader{B: []byte{0}, End: 1}
			m.known(&s, id)
			r.Join(&s, "section")
		}
	}
}

func (m *module) known(s *binary.Reader, id byte) {
	start := s.Pos
	p := part{id: id, at: start}
	switch id {
	case binary.SecType:
		p.payload = m.types(s)
	case binary.SecImport:
		p.payload = m.imports(s)
	case binary.SecFunction:
		p.payload = m.functions(s)
	case binary.SecTable:
		p.payload = m.tableSection(s)
	case binary.SecGlobal:
		p.payload = m.globalSection(s)
	case binary.SecExport:
		p.payload = m.exports(s)
	case binary.SecStart:
		w := m.patch(s)
		w.funcIndex()
		p.payload = w.done()
	case binary.SecElement:
		p.payload = m.elements(s)
	case binary.SecCode:
		m.code(s)
	default:
		m.checkVerbatim(s, id)
		p.payload = s.B[start:s.End]
	}
	m.parts = append(m.parts, p)
}

// custom keeps a custom section unless moving the code made it wrong: debug information and relocations hold code offsets.
func (m *module) custom(s *binary.Reader) {
	start := s.Pos
	name := s.Name()
	empty := !s.More()
	s.Pos = s.End
	if s.Err != nil || stale(name) {
		return
	}
	if name == "name" && slices.ContainsFunc(m.parts, isNames) {
		s.Fail(start, "second name section")
		return
	}
	m.parts = append(m.parts, part{id: binary.SecCustom, payload: s.B[start:s.End], at: start, first: empty})
}
