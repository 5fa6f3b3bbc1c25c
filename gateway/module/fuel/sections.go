package fuel

const (
	typeI32     = 0x7f
	typeFuncref = 0x70
	typeExtern  = 0x6f
	opEnd       = 0x0b
	formFunc    = 0x60
)

// Kinds of imports and exports.
const (
	kindFunc = iota
	kindTable
	kindMemory
	kindGlobal
)

// extended is the payload of a list of n entries with one more entry at its end.
func extended(n int, entries, added []byte) []byte {
	out := make([]byte, 0, 5+len(entries)+len(added))
	out = appendU32(out, uint32(n)+1)
	return append(append(out, entries...), added...)
}

func (r *reader) valueType() {
	at := r.pos
	if t := r.byte(); (t < 0x7b || t > typeI32) && t != typeFuncref && t != typeExtern {
		r.fail(at, "unknown value type %#x", t)
	}
}

func (r *reader) refType() {
	at := r.pos
	if t := r.byte(); t != typeFuncref && t != typeExtern {
		r.fail(at, "unknown reference type %#x", t)
	}
}

func (m *module) types(r *reader) []byte {
	n := r.count(3, "types")
	start := r.pos
	m.params = make([]uint32, 0, n)
	for range n {
		r.want(formFunc, "form of a type")
		params := r.count(1, "parameters")
		for range params {
			r.valueType()
		}
		for range r.count(1, "results") {
			r.valueType()
		}
		m.params = append(m.params, uint32(params))
	}
	return extended(n, r.b[start:r.pos], []byte{formFunc, 0, 0})
}

func (m *module) imports(r *reader) []byte {
	n := r.count(4, "imports")
	start := r.pos
	for range n {
		m.oneImport(r)
	}
	m.funcs = m.funcImports
	added := appendName(appendName(nil, m.opts.Module), m.opts.Name)
	added = appendU32(append(added, kindFunc), m.spendType())
	return extended(n, r.b[start:r.pos], added)
}

func (m *module) oneImport(r *reader) {
	at := r.pos
	module, name := r.name(), r.name()
	switch kind := r.byte(); {
	case r.err != nil:
	case kind == kindFunc:
		m.typeIndex(r)
		m.funcImports++
		if module == m.opts.Module && name == m.opts.Name {
			r.fail(at, "the module imports %q of %q itself", name, module)
		}
	case kind == kindTable:
		r.refType()
		r.limits()
		m.tables++
	case kind == kindMemory:
		m.memory(r)
	case kind == kindGlobal:
		r.valueType()
		r.byte()
		m.globals++
	default:
		r.fail(at, "unknown kind of import %#x", kind)
	}
}

func (m *module) typeIndex(r *reader) uint32 {
	at := r.pos
	t := r.u32()
	if int64(t) >= int64(len(m.params)) {
		r.fail(at, "type %d of %d", t, len(m.params))
		return 0
	}
	return t
}

func (m *module) functions(r *reader) []byte {
	n := r.count(1, "functions")
	start := r.pos
	for range n {
		m.typeIndex(r)
	}
	m.funcs += uint32(n)
	return extended(n, r.b[start:r.pos], appendU32(nil, m.spendType()))
}

// limits reads the limits of a table or memory. Shared and 64-bit ones are refused.
func (r *reader) limits() (lo, hi uint32, bounded bool) {
	at := r.pos
	switch flags := r.byte(); flags {
	case 0:
		return r.u32(), 0, false
	case 1:
		return r.u32(), r.u32(), true
	default:
		r.fail(at, "unknown flags of limits %#x", flags)
		return 0, 0, false
	}
}

func (m *module) memory(r *reader) {
	at := r.pos
	r.limits()
	if m.memories++; m.memories > 1 {
		r.fail(at, "more than one memory")
	}
}

// tableSection writes each table anew, with a maximum of at most Options.MaxTable.
func (m *module) tableSection(r *reader) []byte {
	n := r.count(3, "tables")
	out := appendU32(nil, uint32(n))
	for range n {
		out = m.table(r, out)
		m.tables++
	}
	return out
}

func (m *module) table(r *reader, out []byte) []byte {
	at := r.pos
	initialised := r.more() && r.b[r.pos] == 0x40
	if initialised {
		r.skip(1)
		r.want(0, "byte after 0x40")
	}
	r.refType()
	out = append(out, r.b[at:r.pos]...)
	lo, hi, bounded := r.limits()
	if lo > m.opts.MaxTable {
		r.fail(at, "table of %d entries, more than %d", lo, m.opts.MaxTable)
	}
	if !bounded || hi > m.opts.MaxTable {
		hi = m.opts.MaxTable
	}
	out = appendU32(appendU32(append(out, 1), lo), hi)
	if initialised {
		w := m.patch(r)
		w.constExpr()
		out = append(out, w.done()...)
	}
	return out
}

func (m *module) globalSection(r *reader) []byte {
	n := r.count(4, "globals")
	m.globals += uint32(n)
	w := m.patch(r)
	for range n {
		r.valueType()
		r.byte()
		w.constExpr()
	}
	added := append(appendS32([]byte{typeI32, 1, opI32Const}, m.opts.Interval), opEnd)
	added = append(added, typeI32, 1, opI32Const, 0, opEnd)
	return extended(n+1, w.done(), added)
}

func (m *module) exports(r *reader) []byte {
	n := r.count(3, "exports")
	w := m.patch(r)
	for range n {
		at := r.pos
		if r.name() == GlobalExport && r.err == nil {
			r.fail(at, "the module exports %q itself", GlobalExport)
		}
		switch r.byte() {
		case kindFunc:
			w.funcIndex()
		case kindGlobal:
			m.globalIndex(r)
		default:
			r.u32()
		}
	}
	added := append(appendName(nil, GlobalExport), kindGlobal)
	return extended(n, w.done(), appendU32(added, m.fuelGlobal()))
}

func (m *module) globalIndex(r *reader) {
	at := r.pos
	if g := r.u32(); g >= m.globals {
		r.fail(at, "global %d of %d", g, m.globals)
	}
}

// checkVerbatim reads a section that stays as it is.
func (m *module) checkVerbatim(r *reader, id byte) {
	switch id {
	case secMemory:
		for range r.count(2, "memories") {
			m.memory(r)
		}
	case secDataCount:
		r.u32()
	case secData:
		for range r.count(2, "data segments") {
			m.dataSegment(r)
		}
	}
}

func (m *module) dataSegment(r *reader) {
	at := r.pos
	switch form := r.u32(); form {
	case 0, 2:
		if form == 2 {
			r.want(0, "index of the memory")
		}
		m.noFuncExpr(r)
	case 1:
	default:
		r.fail(at, "unknown form of data segment %d", form)
	}
	r.skip(r.count(1, "data bytes"))
}
