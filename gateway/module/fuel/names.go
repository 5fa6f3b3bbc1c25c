package fuel

import "strings"

// Names of the added functions in stack traces.
const (
	spendName  = "postern.spend"
	refillName = "postern.refill"
)

// Subsections of the name section.
const (
	namesOfFuncs  = 1
	namesOfLocals = 2
	namesOfLabels = 3
	namesLast     = 11
)

// stale tells the custom sections that hold offsets into the code, which the rewriting moves.
func stale(name string) bool {
	return strings.HasPrefix(name, ".debug_") || strings.HasPrefix(name, "reloc.") ||
		strings.HasPrefix(name, "metadata.code.") || name == "linking" || name == "sourceMappingURL"
}

func isNames(p part) bool {
	return p.id == secCustom && strings.HasPrefix(string(p.payload), "\x04name")
}

// renameAll moves the indexes of the name section, if there is one. It runs last because custom sections may come early.
func (m *module) renameAll(r *reader) {
	for i := range m.parts {
		if isNames(m.parts[i]) {
			m.parts[i].payload = m.names(r, m.parts[i])
		}
	}
}

func (m *module) names(r *reader, p part) []byte {
	s := reader{b: m.wasm, pos: p.at, end: p.at + len(p.payload)}
	s.name()
	out := append([]byte(nil), m.wasm[p.at:s.pos]...)
	for s.more() {
		start := s.pos
		id := s.byte()
		sub := s.sub(s.count(1, "subsection bytes"))
		if s.err != nil {
			break
		}
		switch {
		case id == namesOfFuncs:
			out = appendSubsection(out, id, m.funcNames(&sub))
		case id == namesOfLocals:
			out = appendSubsection(out, id, m.localNames(&sub))
		case id == namesOfLabels || id > namesLast: // added blocks shift labels; of others we cannot tell
			sub.pos = sub.end
		default:
			sub.pos = sub.end
			out = append(out, m.wasm[start:s.pos]...)
		}
		s.join(&sub, "subsection of names")
	}
	r.join(&s, "name section")
	return out
}

func appendSubsection(out []byte, id byte, payload []byte) []byte {
	return append(appendU32(append(out, id), uint32(len(payload))), payload...)
}

// funcNames adds the names of the two added functions where the ascending order wants them.
func (m *module) funcNames(r *reader) []byte {
	n := r.count(2, "names")
	p := m.patch(r)
	p.out = appendU32(nil, uint32(n)+2)
	named := false
	for range n {
		if !named && p.peekU32() >= m.spendFunc() {
			p.flush()
			p.out = appendName(appendU32(p.out, m.spendFunc()), spendName)
			named = true
		}
		p.funcIndex()
		p.skip(p.count(1, "name bytes"))
	}
	out := p.done()
	if !named {
		out = appendName(appendU32(out, m.spendFunc()), spendName)
	}
	return appendName(appendU32(out, m.refillFunc()), refillName)
}

func (p *patcher) peekU32() uint32 {
	r := *p.reader
	return r.u32()
}

func (m *module) localNames(r *reader) []byte {
	p := m.patch(r)
	for range p.count(2, "functions with names of locals") {
		p.funcIndex()
		for range p.count(2, "names of locals") {
			p.u32()
			p.skip(p.count(1, "name bytes"))
		}
	}
	return p.done()
}
