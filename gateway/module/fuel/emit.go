package fuel

import "github.com/posternhq/postern/gateway/module/binary"

// growth is more than any site adds to the code.
const growth = 64

func (m *module) emit() []byte {
	size := len(m.wasm) + 256 + growth*len(m.bodies)
	for _, p := range m.parts {
		size += len(p.payload) / 4
	}
	for i := range m.sites {
		if m.sites[i].kind >= siteBr {
			size += growth
		} else {
			size++
		}
	}
	out := append(make([]byte, 0, size), m.wasm[:8]...)
	for _, first := range []bool{true, false} {
		for _, p := range m.parts {
			if p.first == first {
				out = m.emitPart(out, p)
			}
		}
	}
	return out
}

func (m *module) emitPart(out []byte, p part) []byte {
	out = append(out, p.id)
	if p.id == binary.SecCode {
		return m.emitCode(out)
	}
	return append(binary.AppendU32(out, uint32(len(p.payload))), p.payload...)
}

// sized appends what write appends, with its length before it.
func sized(out []byte, write func([]byte) []byte) []byte {
	const room = 5
	start := len(out)
	out = write(append(out, make([]byte, room)...))
	n := len(out) - start - room
	head := len(binary.AppendU32(out[:start], uint32(n)))
	copy(out[head:], out[start+room:])
	return out[:head+n]
}

func (m *module) emitCode(out []byte) []byte {
	return sized(out, func(out []byte) []byte {
		out = binary.AppendU32(out, uint32(len(m.bodies))+1)
		for f := range m.bodies {
			out = sized(out, func(out []byte) []byte { return m.emitBody(out, uint32(f)) })
		}
		return sized(out, m.emitRefill)
	})
}

// emitRefill appends the function that is called when the counter has run out: it adds the interval to the counter and calls the
// host until the counter is positive. Once is enough but for large bulk instructions.
func (m *module) emitRefill(out []byte) []byte {
	out = append(out, 0, opLoop, blockEmpty) // no locals
	out = binary.AppendU32(append(out, opGlobalGet), m.fuelGlobal())
	out = binary.AppendS32(append(out, opI32Const), m.opts.Interval)
	out = binary.AppendU32(append(out, opI32Add, opGlobalSet), m.fuelGlobal())
	out = m.emitCall(out, m.spendFunc())
	out = m.emitRunOut(out)
	return append(out, opBrIf, 0, opEnd, opEnd)
}

func (m *module) emitCall(out []byte, f uint32) []byte {
	return binary.AppendU32(append(out, opCall), f)
}

func (m *module) emitBody(out []byte, f uint32) []byte {
	b := &m.bodies[f]
	out = append(out, m.wasm[b.start:b.code]...)
	if w := m.steps(b.cost); b.checked && !m.countedByLoop(b, w) {
		out = m.emitCheck(out, w)
	}
	from := b.code
	for i := b.firstSite; i < m.lastSite(f); i++ {
		s := &m.sites[i]
		out = append(out, m.wasm[from:s.at]...)
		from = s.at + uint32(s.size)
		out = m.emitSite(out, s, m.wasm[s.at:from])
	}
	return append(out, m.wasm[from:b.end]...)
}

// countedByLoop says whether each call of b counts w steps anyway, at the header of a loop that it enters first.
func (m *module) countedByLoop(b *body, w int32) bool {
	if b.entryLoop == 0 {
		return false
	}
	loop := &m.sites[b.entryLoop-1]
	return loop.atHeader() && m.loopSteps(loop) >= w
}

// loopSteps is what one round of a loop counts for, if it counts at its header.
func (m *module) loopSteps(loop *site) int32 {
	return m.steps(uint64(loop.arg - loop.at))
}

// emitSite writes what replaces the bytes old.
func (m *module) emitSite(out []byte, s *site, old []byte) []byte {
	switch s.kind {
	case siteCall, siteRef:
		return binary.AppendU32(out, m.moved(s.arg))
	case siteLoop:
		if s.atHeader() {
			out = m.emitCheck(out, m.loopSteps(s))
		}
		return out
	case siteBulk:
		return m.emitBulk(out, s.arg)
	}
	loop := &m.sites[s.loop]
	if loop.atHeader() {
		return append(out, old...)
	}
	w := m.steps(uint64(s.at - loop.at))
	if s.kind == siteBr {
		return m.emitBranch(out, s.arg, w)
	}
	out = append(out, opIf, blockEmpty)
	return append(m.emitBranch(out, s.arg+1, w), opEnd)
}

// emitCount counts w steps and leaves on the stack whether the counter has run out. The runtime keeps a global that it has
// just written in a register, so the second global.get costs nothing.
func (m *module) emitCount(out []byte, w int32) []byte {
	g := m.fuelGlobal()
	out = binary.AppendU32(append(out, opGlobalGet), g)
	out = binary.AppendS32(append(out, opI32Const), w)
	out = binary.AppendU32(append(out, opI32Sub, opGlobalSet), g)
	return m.emitRunOut(out)
}

func (m *module) emitRunOut(out []byte) []byte {
	out = binary.AppendU32(append(out, opGlobalGet), m.fuelGlobal())
	return append(out, opI32Const, 1, opI32LtS)
}

// emitBulk counts a step for every 2^shift of the size on top of the stack, and leaves the size there. The size is back on the
// stack before the call, since the host might call the guest again meanwhile.
func (m *module) emitBulk(out []byte, shift uint32) []byte {
	out = binary.AppendU32(append(out, opGlobalSet), m.sizeGlobal())
	out = binary.AppendU32(append(out, opGlobalGet), m.sizeGlobal())
	out = binary.AppendU32(append(out, opGlobalGet), m.fuelGlobal())
	out = binary.AppendU32(append(out, opGlobalGet), m.sizeGlobal())
	out = append(out, opI32Const, byte(shift), opI32ShrU, opI32Sub)
	out = binary.AppendU32(append(out, opGlobalSet), m.fuelGlobal())
	return m.emitRefillIf(m.emitRunOut(out))
}

// emitCheck counts w steps, without touching the stack.
func (m *module) emitCheck(out []byte, w int32) []byte {
	return m.emitRefillIf(m.emitCount(out, w))
}

func (m *module) emitRefillIf(out []byte) []byte {
	out = append(out, opIf, blockEmpty)
	return append(m.emitCall(out, m.refillFunc()), opEnd)
}

// emitBranch counts w steps and goes to the loop at depth:
//
//	block
//	  count w
//	  br_if 0           ;; the counter has run out
//	  br depth+1
//	end
//	call refill
//	br depth
//
// So the usual way passes no call: the compiler need not save registers for one inside the loop. In a tight loop that is the
// difference between a few per cent and half as much again.
func (m *module) emitBranch(out []byte, depth uint32, w int32) []byte {
	out = m.emitCount(append(out, opBlock, blockEmpty), w)
	out = append(out, opBrIf, 0)
	out = append(binary.AppendU32(append(out, opBr), depth+1), opEnd)
	out = m.emitCall(out, m.refillFunc())
	return binary.AppendU32(append(out, opBr), depth)
}
