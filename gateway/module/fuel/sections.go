package fuel

import "github.com/posternhq/postern/gateway/module/binary"

// extended is the payload of a list of n entries with one more entry at its end.
func extended(n int, entries, added []byte) []byte {
	out := make([]byte, 0, 5+len(entries)+len(added))
	out = binary.AppendU32(out, uint32(n)+1)
	return append(append(out, entries...), added...)
}

func (m *module) types(r *binary.Reader) []byte {
	n := r.Count(3, "types")
	start := r.Pos
	m.params = make([]uint32, 0, n)
	for range n {
		r.Want(binary.FormFunc, "form of a type")
		params := r.Count(1, "parameters")
		for range params {
			r.ValueType()
		}
		for range r.Count(1, "results") {
			r.ValueType()
		}
		m.params = append(m.params, uint32(params))
	}
	return extended(n, r.B[start:r.Pos], []byte{binary.FormFunc, 0, 0})
}

func (m *module) imports(r *binary.Reader) []byte {
	n := r.Count(4, "imports")
	start := r.Pos
	for range n {
		m.oneImport(r)
	}
	m.funcs = m.funcImports
	added := binary.AppendName(binary.AppendName(nil, m.opts.Module), m.opts.Name)
	added = binary.AppendU32(append(added, binary.KindFunc), m.spendType())
	return extended(n, r.B[start:r.Pos], added)
}

func (m *module) oneImport(r *binary.Reader) {
	at := r.Pos
	module, name := r.Name(), r.Name()
	switch kind := r.Byte(); {
	case r.Err != nil:
	case kind == binary.KindFunc:
		m.typeIndex(r)
		m.funcImports++
		if module == m.opts.Module && name == m.opts.Name {
			r.Fail(at, "the module imports %q of %q itself", name, module)
		}
	case kind == binary.KindTable:
		r.RefType()
		r.Limits()
		m.tables++
	case kind == binary.KindMemory:
		m.memory(r)
	case kind == binary.KindGlobal:
		r.ValueType()
		r.Byte()
		m.globals++
	default:
		r.Fail(at, "unknown kind of import %#x", kind)
	}
}

func (m *module) typeIndex(r *binary.Reader) uint32 {
	at := r.Pos
	t := r.U32()
	if int64(t) >= int64(len(m.params)) {
		r.Fail(at, "type %d of %d", t, len(m.params))
		return 0
	}
	return t
}

func (m *module) functions(r *binary.Reader) []byte {
	n := r.Count(1, "functions")
	start := r.Pos
	for range n {
		m.typeIndex(r)
	}
	m.funcs += uint32(n)
	return extended(n, r.B[start:r.Pos], binary.AppendU32(nil, m.spendType()))
}

func (m *module) memory(r *binary.Reader) {
	at := r.Pos
	r.Limits()
	if m.memories++; m.memories > 1 {
		r.Fail(at, "more than one memory")
	}
}

// tableSection writes each table anew, with a maximum of at most Options.MaxTable.
func (m *module) tableSection(r *binary.Reader) []byte {
	n := r.Count(3, "tables")
	out := binary.AppendU32(nil, uint32(n))
	for range n {
		out = m.table(r, out)
		m.tables++
	}
	return out
}

func (m *module) table(r *binary.Reader, out []byte) []byte {
	at := r.Pos
	initialised := r.More() && r.B[r.Pos] == 0x40
	if initialised {
		r.Skip(1)
		r.Want(0, "byte after 0x40")
	}
	r.RefType()
	out = append(out, r.B[at:r.Pos]...)
	lo, hi, bounded := r.Limits()
	if lo > m.opts.MaxTable {
		r.Fail(at, "table of %d entries, more than %d", lo, m.opts.MaxTable)
	}
	if !bounded || hi > m.opts.MaxTable {
		hi = m.opts.MaxTable
	}
	out = binary.AppendU32(binary.AppendU32(append(out, 1), lo), hi)
	if initialised {
		w := m.patch(r)
		w.constExpr()
		out = append(out, w.done()...)
	}
	return out
}

func (m *module) globalSection(r *binary.Reader) []byte {
	n := r.Count(4, "globals")
	m.globals += uint32(n)
	w := m.patch(r)
	for range n {
		r.ValueType()
		r.Byte()
		w.constExpr()
	}
	added := append(binary.AppendS32([]byte{binary.TypeI32, 1, opI32Const}, m.opts.Interval), opEnd)
	added = append(added, binary.TypeI32, 1, opI32Const, 0, opEnd)
	return extended(n+1, w.done(), added)
}

func (m *module) exports(r *binary.Reader) []byte {
	n := r.Count(3, "exports")
	w := m.patch(r)
	for range n {
		at := r.Pos
		if r.Name() == GlobalExport && r.Err == nil {
			r.Fail(at, "the module exports %q itself", GlobalExport)
		}
		switch r.Byte() {
		case binary.KindFunc:
			w.funcIndex()
		case binary.KindGlobal:
			m.globalIndex(r)
		default:
			r.U32()
		}
	}
	added := append(binary.AppendName(nil, GlobalExport), binary.KindGlobal)
	return extended(n, w.done(), binary.AppendU32(added, m.fuelGlobal()))
}

func (m *module) globalIndex(r *binary.Reader) {
	at := r.Pos
	if g := r.U32(); g >= m.globals {
		r.Fail(at, "global %d of %d", g, m.globals)
	}
}

// checkVerbatim reads a section that stays as it is.
func (m *module) checkVerbatim(r *binary.Reader, id byte) {
	switch id {
	case binary.SecMemory:
		for range r.Count(2, "memories") {
			m.memory(r)
		}
	case binary.SecDataCount:
		r.U32()
	case binary.SecData:
		for range r.Count(2, "data segments") {
			m.dataSegment(r)
		}
	}
}

func (m *module) dataSegment(r *binary.Reader) {
	at := r.Pos
	switch form := r.U32(); form {
	case 0, 2:
		if form == 2 {
			r.Want(0, "index of the memory")
		}
		m.noFuncExpr(r)
	case 1:
	default:
		r.Fail(at, "unknown form of data segment %d", form)
	}
	r.Skip(r.Count(1, "data bytes"))
}
