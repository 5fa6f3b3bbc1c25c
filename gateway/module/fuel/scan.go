package fuel

// label is an open block. loop is 1 + the site of the header, or 0 if it is not a loop.
type label struct {
	loop   uint32
	params uint32
}

// maxLocals is the limit of the WebAssembly JavaScript interface, which toolchains keep to. Locals are announced by number, so
// without a limit a few bytes would have the runtime allocate gigabytes.
const maxLocals = 50_000

// scanner reads function bodies.
type scanner struct {
	reader
	m        *module
	f        *body
	labels   []label
	straight bool // no call and no branch so far
}

func (m *module) code(r *reader) {
	at := r.pos
	n := r.count(2, "functions")
	if want := m.funcs - m.funcImports; uint32(n) != want && r.err == nil {
		r.fail(at, "%d functions have code, %d are declared", n, want)
		return
	}
	m.bodies = make([]body, n)
	m.sites = make([]site, 0, (r.end-r.pos)/32)
	s := scanner{m: m}
	for i := range n {
		s.reader, s.f = r.sub(r.count(1, "bytes of code")), &m.bodies[i]
		s.function()
		r.join(&s.reader, "function")
		if r.err != nil {
			return
		}
	}
}

func (s *scanner) function() {
	at := s.pos
	s.f.start = uint32(at)
	s.f.firstSite = uint32(len(s.m.sites))
	locals := uint64(0)
	for range s.count(2, "groups of locals") {
		locals += uint64(s.u32())
		s.valueType()
	}
	if locals > maxLocals {
		s.fail(at, "%d locals, more than %d", locals, maxLocals)
	}
	s.f.code, s.f.end = uint32(s.pos), uint32(s.end)
	s.labels = append(s.labels[:0], label{})
	s.straight = true
	for len(s.labels) > 0 && s.err == nil {
		s.instruction()
	}
}

func (s *scanner) instruction() {
	at := s.pos
	op := s.byte()
	if op <= opCallIndirect && op > opLoop {
		s.straight = false // every branch, call, if, else and return
	}
	switch imm := immediates[op]; imm {
	case immNone:
	case immIndex:
		s.u32()
	case immMem:
		s.u32()
		s.u32()
	case immI32:
		s.skipLEB(5)
	case immI64:
		s.skipLEB(10)
	case immCall:
		s.funcIndex(siteCall)
	case immBlock:
		s.block(op, at)
	case immEnd:
		s.endBlock(at)
	case immBranch:
		s.branch(op, at)
	case immBrTable:
		s.branchTable(at)
	case immGlobal:
		s.m.globalIndex(&s.reader)
	case immCallIndirect:
		s.m.typeIndex(&s.reader)
		s.u32()
		s.f.indirect = true
	default:
		s.rare(imm, at)
	}
}

// rare reads the immediates of the less frequent instructions.
func (s *scanner) rare(imm immediate, at int) {
	switch imm {
	case immNone:
	case immIndex:
		s.u32()
	case immMem:
		s.u32()
		s.u32()
	case immMemLane:
		s.u32()
		s.u32()
		s.skip(1)
	case immZero:
		s.want(0, "reserved byte")
	case immZeroTwo:
		s.want(0, "reserved byte")
		s.want(0, "reserved byte")
	case immIndexZero:
		s.u32()
		s.want(0, "reserved byte")
	case immIndexTwo:
		s.u32()
		s.u32()
	case immLane:
		s.skip(1)
	case immF32:
		s.skip(4)
	case immF64:
		s.skip(8)
	case imm16:
		s.skip(16)
	case immSelect:
		s.want(1, "number of types")
		s.valueType()
	case immRefType:
		s.refType()
	case immRefFunc:
		s.funcIndex(siteRef)
	case immMisc, immVector:
		s.prefixed(imm, at)
	default:
		s.fail(at, "unknown instruction %#x", s.b[at])
	}
}

// prefixed reads an instruction of two bytes. The second is a LEB128 number, but the runtime looks at single bytes and takes
// the 0x01 that ends numbers of 0x80 and above for a nop. So nothing but the shortest encoding may pass, lest the two
// disagree on where instructions begin.
func (s *scanner) prefixed(imm immediate, at int) {
	op := s.byte()
	kind := immUnknown
	if imm == immVector {
		if kind = simdImmediates[op]; op >= 0x80 {
			s.want(1, "second byte of a vector opcode")
		}
	} else if int(op) < len(miscImmediates) {
		kind = miscImmediates[op]
		s.bulk(op, at)
	}
	if kind == immUnknown {
		s.fail(at, "unknown instruction %#x %#x", s.b[at], op)
		return
	}
	s.rare(kind, at)
}

// A step of a bulk instruction is 16 KiB, which take one or two microseconds; an entry of a table has 8 bytes.
const (
	bulkShift  = 14
	tableShift = 11
)

// bulk notes the instructions that run for long without a branch.
func (s *scanner) bulk(op byte, at int) {
	switch op {
	case 8, 10, 11: // memory.init, memory.copy, memory.fill
		s.m.sites = append(s.m.sites, site{at: uint32(at), arg: bulkShift, kind: siteBulk})
	case 12, 14, 17: // table.init, table.copy, table.fill
		s.m.sites = append(s.m.sites, site{at: uint32(at), arg: tableShift, kind: siteBulk})
	}
}

// funcIndex reads the index of a function, of which only those that move are sites.
func (s *scanner) funcIndex(kind siteKind) {
	at := s.pos
	f := s.u32()
	if f >= s.m.funcs {
		s.fail(at, "function %d of %d", f, s.m.funcs)
		return
	}
	if f >= s.m.funcImports {
		s.add(site{at: uint32(at), arg: f, kind: kind})
	}
}

// add adds a site that ends here.
func (s *scanner) add(x site) {
	x.size = uint8(s.pos - int(x.at))
	s.m.sites = append(s.m.sites, x)
}

func (s *scanner) block(op byte, at int) {
	l := label{}
	switch t := s.s33(); {
	case t >= 0:
		if t >= int64(len(s.m.params)) {
			s.fail(at, "type %d of %d", t, len(s.m.params))
			return
		}
		l.params = s.m.params[t]
	case t == -0x40, t >= -5, t == typeFuncref-0x80, t == typeExtern-0x80:
	default:
		s.fail(at, "unknown type of block %d", t)
	}
	if op == opLoop {
		s.add(site{at: uint32(s.pos), kind: siteLoop})
		l.loop = uint32(len(s.m.sites))
		if s.straight && s.f.entryLoop == 0 {
			s.f.entryLoop = l.loop
		}
	}
	s.labels = append(s.labels, l)
}

func (s *scanner) endBlock(at int) {
	last := len(s.labels) - 1
	if l := s.labels[last]; l.loop != 0 {
		s.m.sites[l.loop-1].arg = uint32(at)
	}
	s.labels = s.labels[:last]
}

// target returns the site of the loop at depth d, if it is one, and the number of its parameters.
func (s *scanner) target(d uint32, at int) (loop *site, params uint32) {
	if int64(d) >= int64(len(s.labels)) {
		s.fail(at, "label %d of %d", d, len(s.labels))
		return nil, 0
	}
	l := s.labels[len(s.labels)-1-int(d)]
	if l.loop == 0 {
		return nil, 0
	}
	return &s.m.sites[l.loop-1], l.params
}

func (s *scanner) branch(op byte, at int) {
	depth := s.u32()
	loop, params := s.target(depth, at)
	if loop == nil {
		return
	}
	if params > 0 {
		loop.loop = branchesAtHeader
		return
	}
	loop.loop++
	header := s.labels[len(s.labels)-1-int(depth)].loop - 1
	kind := siteBr
	if op == opBrIf {
		kind = siteBrIf
	}
	s.add(site{at: uint32(at), arg: depth, loop: header, kind: kind})
}

func (s *scanner) branchTable(at int) {
	for range s.count(1, "labels") + 1 {
		if loop, _ := s.target(s.u32(), at); loop != nil {
			loop.loop = branchesAtHeader
		}
	}
}
