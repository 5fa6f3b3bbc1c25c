package fuel

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/posternhq/postern/gateway/module/binary"
)

// program writes random modules that end: every loop counts a local of its own down, and recursion counts parameter 0
// down. Functions are (depth, x) -> i32; locals 2 to 5 hold values, from 6 on counters of loops.
type program struct {
	*rand.Rand
	funcs  byte
	loops  byte   // counters in use
	depth  int    // nesting of statements
	labels []bool // open blocks: whether a branch there ends (true) or repeats (false)
}

const (
	maxLoops   = 12
	firstLoop  = 6
	wordOfNote = 0 // index of the imported function
)

func randomModule(seed uint64) []byte {
	p := &program{Rand: rand.New(rand.NewPCG(seed, 1)), funcs: byte(2 + seed%5)}
	a := &asm{mems: [][]byte{{0, 1}}}
	note, fn := a.sig([]byte{i32}, []byte{i32}), a.sig([]byte{i32, i32}, []byte{i32})
	a.importFunc("note", note)
	a.tables = [][]byte{{binary.TypeFuncref, 0, 8}}
	a.globals = [][]byte{{i32, 1, opI32Const, 3, opEnd}}
	var slots [][]byte
	for range 8 {
		slots = append(slots, []byte{1 + byte(p.IntN(int(p.funcs)))})
	}
	a.elems = [][]byte{cat([]byte{0, opI32Const, 0, opEnd}, vec(slots...))}
	for range p.funcs {
		p.loops = 0
		code := cat(p.statements(4), []byte{0x20, 2, 0x20, 3, 0x73})
		a.fn(fn, 4+maxLoops, code...)
	}
	a.export("run", binary.KindFunc, 1)
	return a.bytes()
}

// value pushes an i32.
func (p *program) value(n int) []byte {
	if n > 0 && p.IntN(3) > 0 {
		op := []byte{opI32Add, opI32Sub, 0x6c, 0x71, 0x72, 0x73, 0x74, 0x76, 0x46, 0x48}[p.IntN(10)]
		return cat(p.value(n-1), p.value(n-1), []byte{op})
	}
	switch p.IntN(5) {
	case 0:
		return binary.AppendS32([]byte{opI32Const}, int32(p.Uint32()))
	case 1:
		return []byte{opGlobalGet, 0}
	case 2:
		return cat(p.value(0), []byte{opI32Const, 60, 0x71, 0x28, 2, 0})
	default:
		return []byte{0x20, byte(1 + p.IntN(5))}
	}
}

func (p *program) statements(n int) []byte {
	var out []byte
	for range 1 + p.IntN(n) {
		out = append(out, p.statement()...)
	}
	return out
}

func (p *program) statement() []byte {
	local := byte(2 + p.IntN(4))
	if p.depth > 4 {
		return cat(p.value(2), []byte{0x21, local})
	}
	p.depth++
	defer func() { p.depth-- }()
	switch p.IntN(10) {
	case 0:
		return cat(p.value(1), []byte{opGlobalSet, 0})
	case 1:
		return cat([]byte{opI32Const, 40}, p.value(1), []byte{0x36, 2, 0})
	case 2:
		return cat(p.value(1), []byte{opCall, wordOfNote, 0x21, local})
	case 3, 4:
		return p.call(local)
	case 5:
		return p.within(true, func() []byte {
			return cat(p.value(2), []byte{opIf, blockEmpty}, p.statements(3), []byte{0x05}, p.statements(2), []byte{opEnd})
		})
	case 6:
		return p.within(true, func() []byte {
			return cat([]byte{opBlock, blockEmpty}, p.statements(3), p.leave(), p.statements(2), []byte{opEnd})
		})
	case 7, 8:
		if p.loops < maxLoops {
			return p.loop()
		}
	}
	return cat(p.value(2), []byte{0x21, local})
}

func (p *program) within(ends bool, write func() []byte) []byte {
	p.labels = append(p.labels, ends)
	defer func() { p.labels = p.labels[:len(p.labels)-1] }()
	return write()
}

// leave branches, perhaps, to a label where that ends something.
func (p *program) leave() []byte {
	var ends []byte
	for d := range p.labels {
		if p.labels[len(p.labels)-1-d] {
			ends = append(ends, byte(d))
		}
	}
	if len(ends) == 0 {
		return nil
	}
	pick := func() byte { return ends[p.IntN(len(ends))] }
	if p.IntN(2) == 0 {
		return cat(p.value(1), []byte{opBrIf, pick()})
	}
	return cat([]byte{opBlock, blockEmpty}, p.value(1), []byte{opI32Const, 3, 0x71, opBrTable, 2, 0, pick() + 1, 0, opEnd})
}

// call calls a function, directly or by the table, while the depth lasts.
func (p *program) call(local byte) []byte {
	args := cat([]byte{0x20, 0, opI32Const, 1, opI32Sub}, p.value(1))
	how := []byte{opCall, 1 + byte(p.IntN(int(p.funcs)))}
	if p.IntN(2) == 0 {
		how = []byte{0x20, 1, opI32Const, 7, 0x71, opCallIndirect, 1, 0}
	}
	return cat([]byte{0x20, 0, opIf, blockEmpty}, args, how, []byte{0x21, local, opEnd})
}

// loop runs a body up to three times. It goes back by br_if, by br, or by br_table, from one place or from two.
func (p *program) loop() []byte {
	counter := firstLoop + p.loops
	p.loops++
	down := []byte{0x20, counter, opI32Const, 1, opI32Sub, 0x22, counter}
	positive := []byte{opI32Const, 0, 0x4a}
	var back []byte
	switch p.IntN(3) {
	case 0:
		back = cat(down, positive, []byte{opBrIf, 0})
	case 1:
		back = cat(down, positive, []byte{opIf, blockEmpty, opBr, 1, opEnd})
	default:
		back = cat([]byte{opBlock, blockEmpty}, down, positive, []byte{opBrTable, 1, 0, 1, opEnd})
	}
	return p.within(false, func() []byte {
		body := p.statements(3)
		if p.IntN(2) == 0 {
			body = cat(p.value(1), []byte{opIf, blockEmpty}, cat(down, positive, []byte{opBrIf, 1}), []byte{opEnd}, body)
		}
		return cat([]byte{opI32Const, 3, 0x21, counter, opLoop, blockEmpty}, body, back, []byte{opEnd})
	})
}

func TestRandomProgramsGiveTheSameResults(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { same(t, randomModule(seed), "run", 3, seed) })
	}
}
