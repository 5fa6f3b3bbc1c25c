package fuel

import (
	"strings"

	"github.com/posternhq/postern/gateway/module/binary"
)

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
	return p.id == binary.SecCustom && strings.HasPrefix(string(p.payload), "\x04name")
}

// renameAll moves the indexes of the name section, if there is one. It runs last because custom sections may come early.
func (m *module) renameAll(r *binary.Reader) {
	for i := range m.parts {
		if isNames(m.parts[i]) {
			m.parts[i].payload = m.names(r, m.parts[i])
		}
	}
}

func (m *module) names(r *binary.Reader, p part) []byte {
	s := binary.Reader{B: m.wasm, Pos: p.at, End: p.at + len(p.payload)}
	s.Name()
	out := append([]byte(nil), m.wasm[p.at:s.Pos]...)
	for s.More() {
		start := s.Pos
		id := s.Byte()
		sub := s.Sub(s.Count(1, "subsection bytes"))
		if s.Err != nil {
			break
		}
		switch {
		case id == namesOfFuncs:
			out = appendSubsection(out, id, m.funcNames(&sub))
		case id == namesOfLocals:
			out = appendSubsection(out, id, m.localNames(&sub))
		case id == namesOfLabels || id > namesLast: // added blocks shift labels; of others we cannot tell
			sub.Pos = sub.End
		default:
			sub.Pos = sub.End
			out = append(out, m.wasm[start:s.Pos]...)
		}
		s.Join(&sub, "subsection of names")
	}
	r.Join(&s, "name section")
	return out
}

func appendSubsection(out []byte, id byte, payload []byte) []byte {
	return append(binary.AppendU32(append(out, id), uint32(len(payload))), payload...)
}

// funcNames adds the names of the two added functions where the ascending order wants them.
func (m *module) funcNames(r *binary.Reader) []byte {
	n := r.Count(2, "names")
	p := m.patch(r)
	p.out = binary.AppendU32(nil, uint32(n)+2)
	named := false
	for range n {
		if !named && p.peekU32() >= m.spendFunc() {
			p.flush()
			p.out = binary.AppendName(binary.AppendU32(p.out, m.spendFunc()), spendName)
			named = true
		}
		p.funcIndex()
		p.Skip(p.Count(1, "name bytes"))
	}
	out := p.done()
	if !named {
		out = binary.AppendName(binary.AppendU32(out, m.spendFunc()), spendName)
	}
	return binary.AppendName(binary.AppendU32(out, m.refillFunc()), refillName)
}

func (p *patcher) peekU32() uint32 {
	r := *p.Reader
	return r.U32()
}

func (m *module) localNames(r *binary.Reader) []byte {
	p := m.patch(r)
	for range p.Count(2, "functions with names of locals") {
		p.funcIndex()
		for range p.Count(2, "names of locals") {
			p.U32()
			p.Skip(p.Count(1, "name bytes"))
		}
	}
	return p.done()
}
