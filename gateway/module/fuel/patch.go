package fuel

// patcher copies what a reader passes over, with function indexes moved to their new values.
type patcher struct {
	*reader
	m    *module
	out  []byte
	from int // start of what is not copied yet
}

func (m *module) patch(r *reader) *patcher {
	return &patcher{reader: r, m: m, from: r.pos}
}

func (p *patcher) funcIndex() {
	at := p.pos
	f := p.u32()
	if f >= p.m.funcs {
		p.fail(at, "function %d of %d", f, p.m.funcs)
		return
	}
	if g := p.m.moved(f); g != f {
		p.out = appendU32(append(p.out, p.b[p.from:at]...), g)
		p.from = p.pos
	}
}

// flush copies all up to the current position, so that something can be inserted there.
func (p *patcher) flush() {
	p.out = append(p.out, p.b[p.from:p.pos]...)
	p.from = p.pos
}

func (p *patcher) done() []byte {
	if p.err != nil {
		return nil
	}
	return append(p.out, p.b[p.from:p.pos]...)
}

// constExpr reads an initialiser up to and including its end.
func (p *patcher) constExpr() {
	for p.err == nil {
		at := p.pos
		switch op := p.byte(); op {
		case opEnd:
			return
		case opI32Const:
			p.skipLEB(5)
		case opI64Const:
			p.skipLEB(10)
		case opF32Const:
			p.skip(4)
		case opF64Const:
			p.skip(8)
		case opGlobalGet:
			p.m.globalIndex(p.reader)
		case opRefNull:
			p.refType()
		case opRefFunc:
			p.funcIndex()
		case opVector:
			p.want(simdConst, "vector instruction of an initialiser")
			p.skip(16)
		default:
			p.fail(at, "unknown instruction %#x in an initialiser", op)
		}
	}
}

// noFuncExpr reads an offset of a data segment. These are numbers, so there is no function index to move.
func (m *module) noFuncExpr(r *reader) {
	at := r.pos
	p := m.patch(r)
	p.constExpr()
	if p.from != at {
		r.fail(at, "offset of a data segment refers to a function")
	}
}

// elements patches the eight forms of element segments. In the form's number, bit 0 says not active, bit 1 an explicit table
// (of a segment that is not active: declarative), bit 2 expressions instead of function indexes.
func (m *module) elements(r *reader) []byte {
	p := m.patch(r)
	for range r.count(2, "element segments") {
		at := p.pos
		form := p.u32()
		if form > 7 {
			p.fail(at, "unknown form of element segment %d", form)
		}
		if form&1 == 0 {
			if form&2 != 0 {
				p.u32()
			}
			p.constExpr()
		}
		p.segment(form&3 != 0, form&4 != 0)
	}
	return p.done()
}

func (p *patcher) segment(typed, exprs bool) {
	switch {
	case typed && exprs:
		p.refType()
	case typed:
		p.want(0, "kind of element segment")
	}
	for range p.count(1, "elements") {
		if exprs {
			p.constExpr()
		} else {
			p.funcIndex()
		}
	}
}
