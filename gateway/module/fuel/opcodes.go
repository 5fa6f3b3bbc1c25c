package fuel

// Instructions that the rewriter looks at or writes.
const (
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opCall         = 0x10
	opCallIndirect = 0x11
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opI32Const     = 0x41
	opI64Const     = 0x42
	opF32Const     = 0x43
	opF64Const     = 0x44
	opI32LtS       = 0x48
	opI32Add       = 0x6a
	opI32Sub       = 0x6b
	opI32ShrU      = 0x76
	opRefNull      = 0xd0
	opRefFunc      = 0xd2
	opMisc         = 0xfc
	opVector       = 0xfd

	blockEmpty = 0x40
	simdConst  = 0x0c
)

// immediate says what follows an opcode.
type immediate byte

const (
	immUnknown immediate = iota // refuse the instruction
	immNone
	immBlock
	immEnd
	immBranch
	immBrTable
	immCall
	immCallIndirect
	immSelect
	immIndex  // one index that stays
	immGlobal // index of a global
	immMem    // alignment and offset
	immZero   // one byte 0
	immI32
	immI64
	immF32
	immF64
	immRefType
	immRefFunc
	immMisc
	immVector
	imm16      // 16 bytes
	immLane    // one byte
	immMemLane // alignment, offset and one byte
	immZeroTwo // two bytes 0
	immIndexZero
	immIndexTwo
)

// span fills entries from..to of a table with imm.
func span(t *[256]immediate, from, to int, imm immediate) {
	for op := from; op <= to; op++ {
		t[op] = imm
	}
}

// immediates is the core instruction set of WebAssembly 2.0, by opcode. Threads, tail calls, exceptions, typed function
// references and garbage collection are left out, so they are refused.
var immediates = func() (t [256]immediate) {
	span(&t, 0x00, 0x01, immNone) // unreachable, nop
	span(&t, opBlock, opIf, immBlock)
	t[0x05] = immNone // else
	t[opEnd] = immEnd
	span(&t, opBr, opBrIf, immBranch)
	t[opBrTable] = immBrTable
	t[0x0f] = immNone // return
	t[opCall] = immCall
	t[opCallIndirect] = immCallIndirect
	span(&t, 0x1a, 0x1b, immNone) // drop, select
	t[0x1c] = immSelect
	span(&t, 0x20, 0x22, immIndex) // local.get, local.set, local.tee
	span(&t, opGlobalGet, opGlobalSet, immGlobal)
	span(&t, 0x25, 0x26, immIndex) // table.get, table.set
	span(&t, 0x28, 0x3e, immMem)
	span(&t, 0x3f, 0x40, immZero) // memory.size, memory.grow
	t[opI32Const], t[opI64Const], t[opF32Const], t[opF64Const] = immI32, immI64, immF32, immF64
	span(&t, 0x45, 0xc4, immNone) // arithmetic
	t[opRefNull], t[0xd1], t[opRefFunc] = immRefType, immNone, immRefFunc
	t[opMisc], t[opVector] = immMisc, immVector
	return t
}()

// miscImmediates are the instructions behind 0xfc.
var miscImmediates = [...]immediate{
	0: immNone, 1: immNone, 2: immNone, 3: immNone, 4: immNone, 5: immNone, 6: immNone, 7: immNone, // saturating truncations
	8:  immIndexZero, // memory.init
	9:  immIndex,     // data.drop
	10: immZeroTwo,   // memory.copy
	11: immZero,      // memory.fill
	12: immIndexTwo,  // table.init
	13: immIndex,     // elem.drop
	14: immIndexTwo,  // table.copy
	15: immIndex,     // table.grow
	16: immIndex,     // table.size
	17: immIndex,     // table.fill
}

// simdImmediates are the instructions behind 0xfd.
var simdImmediates = func() (t [256]immediate) {
	span(&t, 0x00, 0x0b, immMem) // v128.load … v128.store
	span(&t, simdConst, 0x0d, imm16)
	span(&t, 0x0e, 0x14, immNone) // swizzle, splats
	span(&t, 0x15, 0x22, immLane)
	span(&t, 0x23, 0x53, immNone)
	span(&t, 0x54, 0x5b, immMemLane)
	span(&t, 0x5c, 0x5d, immMem)
	span(&t, 0x5e, 0xff, immNone)
	for _, gap := range []int{
		0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb, 0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee,
	} {
		t[gap] = immUnknown
	}
	return t
}()
