package fuel

import "slices"

// Section ids of the binary format.
const (
	secCustom = iota
	secType
	secImport
	secFunction
	secTable
	secMemory
	secGlobal
	secExport
	secStart
	secElement
	secCode
	secData
	secDataCount
)

// sectionOrder is the order that the specification demands, by section id.
var sectionOrder = [...]int{
	secType: 1, secImport: 2, secFunction: 3, secTable: 4, secMemory: 5, secGlobal: 6, secExport: 7,
	secStart: 8, secElement: 9, secDataCount: 10, secCode: 11, secData: 12,
}

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
	r := reader{b: wasm, end: len(wasm)}
	if len(wasm) > maxInput {
		r.fail(0, "%d bytes are more than %d", len(wasm), maxInput)
	}
	for _, c := range []byte("\x00asm\x01\x00\x00\x00") {
		r.want(c, "byte of magic and version")
	}
	last := 0
	for r.more() {
		m.section(&r, &last)
	}
	if r.err == nil {
		m.addMissing(&r, last, len(sectionOrder))
	}
	if r.err == nil {
		m.renameAll(&r)
	}
	if r.err != nil {
		return nil, r.err
	}
	m.choose()
	return m, nil
}

// section reads one section. last is the rank of the section before.
func (m *module) section(r *reader, last *int) {
	at := r.pos
	id := r.byte()
	s := r.sub(r.count(1, "section bytes"))
	if r.err != nil {
		return
	}
	if id == secCustom {
		m.custom(&s)
		r.join(&s, "custom section")
		return
	}
	if int(id) >= len(sectionOrder) {
		r.fail(at, "unknown section %d", id)
		return
	}
	rank := sectionOrder[id]
	if rank <= *last {
		r.fail(at, "section %d is out of order", id)
		return
	}
	m.addMissing(r, *last, rank)
	*last = rank
	m.known(&s, id)
	r.join(&s, "section")
}

// addMissing adds, empty but for our own entry, the sections ranked after last and before rank that the result needs.
func (m *module) addMissing(r *reader, last, rank int) {
	for _, id := range []byte{secType, secImport, secFunction, secGlobal, secExport, secCode} {
		if o := sectionOrder[id]; o > last && o < rank {
			s := reader{b: []byte{0}, end: 1}
			m.known(&s, id)
			r.join(&s, "section")
		}
	}
}

func (m *module) known(s *reader, id byte) {
	start := s.pos
	p := part{id: id, at: start}
	switch id {
	case secType:
		p.payload = m.types(s)
	case secImport:
		p.payload = m.imports(s)
	case secFunction:
		p.payload = m.functions(s)
	case secTable:
		p.payload = m.tableSection(s)
	case secGlobal:
		p.payload = m.globalSection(s)
	case secExport:
		p.payload = m.exports(s)
	case secStart:
		w := m.patch(s)
		w.funcIndex()
		p.payload = w.done()
	case secElement:
		p.payload = m.elements(s)
	case secCode:
		m.code(s)
	default:
		m.checkVerbatim(s, id)
		p.payload = s.b[start:s.end]
	}
	m.parts = append(m.parts, p)
}

// custom keeps a custom section unless moving the code made it wrong: debug information and relocations hold code offsets.
func (m *module) custom(s *reader) {
	start := s.pos
	name := s.name()
	empty := !s.more()
	s.pos = s.end
	if s.err != nil || stale(name) {
		return
	}
	if name == "name" && slices.ContainsFunc(m.parts, isNames) {
		s.fail(start, "second name section")
		return
	}
	m.parts = append(m.parts, part{id: secCustom, payload: s.b[start:s.end], at: start, first: empty})
}
