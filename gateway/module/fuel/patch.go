package fuel

import "github.com/posternhq/postern/gateway/module/binary"

// patcher copies what a reader passes over, with function indexes moved to their new values.
type patcher struct {
	*binary.Reader
	m    *module
	out  []byte
	from int // start of what is not copied yet
}

func (m *module) patch(r *binary.Reader) *patcher {
	return &patcher{Reader: r, m: m, from: r.Pos}
}

func (p *patcher) funcIndex() {
	at := p.Pos
	f := p.U32()
	if f >= p.m.funcs {
		p.Fail(at, "function %d of %d", f, p.m.funcs)
		return
	}
	if g := p.m.moved(f); g != f {
		p.out = binary.AppendU32(append(p.out, p.B[p.from:at]...), g)
		p.from = p.Pos
	}
}

// flush copies all up to the current position, so that something can be inserted there.
func (p *patcher) flush() {
	p.out = append(p.out, p.B[p.from:p.Pos]...)
	p.from = p.Pos
}

func (p *patcher) done() []byte {
	if p.Err != nil {
		return nil
	}
	return append(p.out, p.B[p.from:p.Pos]...)
}

// constExpr reads an initialiser up to and including its end.
func (p *patcher) constExpr() {
	for p.Err == nil {
		at := p.Pos
		switch op := p.Byte(); op {
		case opEnd:
			return
		case opI32Const:
			p.SkipLEB(5)
		case opI64Const:
			p.SkipLEB(10)
		case opF32Const:
			p.Skip(4)
		case opF64Const:
			p.Skip(8)
		case opGlobalGet:
			p.m.globalIndex(p.Reader)
		case opRefNull:
			p.RefType()
		case opRefFunc:
			p.funcIndex()
		case opVector:
			p.Want(simdConst, "vector instruction of an initialiser")
			p.Skip(16)
		default:
			p.Fail(at, "unknown instruction %#x in an initialiser", op)
		}
	}
}

// noFuncExpr reads an offset of a data segment. These are numbers, so there is no function index to move.
func (m *module) noFuncExpr(r *binary.Reader) {
	at := r.Pos
	p := m.patch(r)
	p.constExpr()
	if p.from != at {
		r.Fail(at, "offset of a data segment refers to a function")
	}
}

// elements patches the eight forms of element segments. In the form's number, bit 0 says not active, bit 1 an explicit table
// (of a segment that is not active: declarative), bit 2 expressions instead of function indexes.
func (m *module) elements(r *binary.Reader) []byte {
	p := m.patch(r)
	for range r.Count(2, "element segments") {
		at := p.Pos
		form := p.U32()
		if form > 7 {
			p.Fail(at, "unknown form of element segment %d", form)
		}
		if form&1 == 0 {
			if form&2 != 0 {
				p.U32()
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
		p.RefType()
	case typed:
		p.Want(0, "kind of element segment")
	}
	for range p.Count(1, "elements") {
		if exprs {
			p.constExpr()
		} else {
			p.funcIndex()
		}
	}
}
