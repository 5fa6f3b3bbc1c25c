package fuel

import "github.com/posternhq/postern/gateway/module/binary"

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
	binary.Reader
	m        *module
	f        *body
	labels   []label
	straight bool // no call and no branch so far
}

func (m *module) code(r *binary.Reader) {
	at := r.Pos
	n := r.Count(2, "functions")
	if want := m.funcs - m.funcImports; uint32(n) != want && r.Err == nil {
		r.Fail(at, "%d functions have code, %d are declared", n, want)
		return
	}
	m.bodies = make([]body, n)
	m.sites = make([]site, 0, (r.End-r.Pos)/32)
	s := scanner{m: m}
	for i := range n {
		s.Reader, s.f = r.Sub(r.Count(1, "bytes of code")), &m.bodies[i]
		s.function()
		r.Join(&s.Reader, "function")
		if r.Err != nil {
			return
		}
	}
}

func (s *scanner) function() {
	at := s.Pos
	s.f.start = uint32(at)
	s.f.firstSite = uint32(len(s.m.sites))
	locals := uint64(0)
	for range s.Count(2, "groups of locals") {
		locals += uint64(s.U32())
		s.ValueType()
	}
	if locals > maxLocals {
		s.Fail(at, "%d locals, more than %d", locals, maxLocals)
	}
	s.f.code, s.f.end = uint32(s.Pos), uint32(s.End)
	s.labels = append(s.labels[:0], label{})
	s.straight = true
	for len(s.labels) > 0 && s.Err == nil {
		s.instruction()
	}
}

func (s *scanner) instruction() {
	at := s.Pos
	op := s.Byte()
	if op <= opCallIndirect && op > opLoop {
		s.straight = false // every branch, call, if, else and return
	}
	switch imm := binary.Immediates[op]; imm {
	case binary.ImmNone:
	case binary.ImmIndex:
		s.U32()
	case binary.ImmMem:
		s.U32()
		s.U32()
	case binary.ImmI32:
		s.SkipLEB(5)
	case binary.ImmI64:
		s.SkipLEB(10)
	case binary.ImmCall:
		s.funcIndex(siteCall)
	case binary.ImmBlock:
		s.block(op, at)
	case binary.ImmEnd:
		s.endBlock(at)
	case binary.ImmBranch:
		s.branch(op, at)
	case binary.ImmBrTable:
		s.branchTable(at)
	case binary.ImmGlobal:
		s.m.globalIndex(&s.Reader)
	case binary.ImmCallIndirect:
		s.m.typeIndex(&s.Reader)
		s.U32()
		s.f.indirect = true
	default:
		s.rare(imm, at)
	}
}

// rare reads the immediates of the less frequent instructions.
func (s *scanner) rare(imm binary.Immediate, at int) {
	switch imm {
	case binary.ImmRefFunc:
		s.funcIndex(siteRef)
	case binary.ImmMisc:
		s.bulk(s.Prefixed(imm, at), at)
	case binary.ImmVector:
		s.Prefixed(imm, at)
	default:
		s.Immediate(imm, at)
	}
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
	at := s.Pos
	f := s.U32()
	if f >= s.m.funcs {
		s.Fail(at, "function %d of %d", f, s.m.funcs)
		return
	}
	if f >= s.m.funcImports {
		s.add(site{at: uint32(at), arg: f, kind: kind})
	}
}

// add adds a site that ends here.
func (s *scanner) add(x site) {
	x.size = uint8(s.Pos - int(x.at))
	s.m.sites = append(s.m.sites, x)
}

func (s *scanner) block(op byte, at int) {
	l := label{}
	switch t := s.S33(); {
	case t >= 0:
		if t >= int64(len(s.m.params)) {
			s.Fail(at, "type %d of %d", t, len(s.m.params))
			return
		}
		l.params = s.m.params[t]
	case t == -0x40, t >= -5, t == binary.TypeFuncref-0x80, t == binary.TypeExtern-0x80:
	default:
		s.Fail(at, "unknown type of block %d", t)
	}
	if op == opLoop {
		s.add(site{at: uint32(s.Pos), kind: siteLoop})
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
		s.Fail(at, "label %d of %d", d, len(s.labels))
		return nil, 0
	}
	l := s.labels[len(s.labels)-1-int(d)]
	if l.loop == 0 {
		return nil, 0
	}
	return &s.m.sites[l.loop-1], l.params
}

func (s *scanner) branch(op byte, at int) {
	depth := s.U32()
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
	for range s.Count(1, "labels") + 1 {
		if loop, _ := s.target(s.U32(), at); loop != nil {
			loop.loop = branchesAtHeader
		}
	}
}
