package binary

// Instructions by which others are told apart.
const (
	opBlock        = 0x02
	opIf           = 0x04
	opEnd          = 0x0b
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
	opRefNull      = 0xd0
	opRefFunc      = 0xd2
	opMisc         = 0xfc
	opVector       = 0xfd
	simdConst      = 0x0c
)

// Immediate says what follows an opcode.
type Immediate byte

// Kinds of immediates.
const (
	ImmUnknown Immediate = iota // refuse the instruction
	ImmNone
	ImmBlock
	ImmEnd
	ImmBranch
	ImmBrTable
	ImmCall
	ImmCallIndirect
	ImmSelect
	ImmIndex  // one index that stays
	ImmGlobal // index of a global
	ImmMem    // alignment and offset
	ImmZero   // one byte 0
	ImmI32
	ImmI64
	ImmF32
	ImmF64
	ImmRefType
	ImmRefFunc
	ImmMisc
	ImmVector
	Imm16      // 16 bytes
	ImmLane    // one byte
	ImmMemLane // alignment, offset and one byte
	ImmZeroTwo // two bytes 0
	ImmIndexZero
	ImmIndexTwo
)

// span fills entries from..to of a table with imm.
func span(t *[256]Immediate, from, to int, imm Immediate) {
	for op := from; op <= to; op++ {
		t[op] = imm
	}
}

// Immediates is the core instruction set of WebAssembly 2.0, by opcode. Threads, tail calls, exceptions, typed function
// references and garbage collection are left out, so they are refused.
var Immediates = func() (t [256]Immediate) {
	span(&t, 0x00, 0x01, ImmNone) // unreachable, nop
	span(&t, opBlock, opIf, ImmBlock)
	t[0x05] = ImmNone // else
	t[opEnd] = ImmEnd
	span(&t, opBr, opBrIf, ImmBranch)
	t[opBrTable] = ImmBrTable
	t[0x0f] = ImmNone // return
	t[opCall] = ImmCall
	t[opCallIndirect] = ImmCallIndirect
	span(&t, 0x1a, 0x1b, ImmNone) // drop, select
	t[0x1c] = ImmSelect
	span(&t, 0x20, 0x22, ImmIndex) // local.get, local.set, local.tee
	span(&t, opGlobalGet, opGlobalSet, ImmGlobal)
	span(&t, 0x25, 0x26, ImmIndex) // table.get, table.set
	span(&t, 0x28, 0x3e, ImmMem)
	span(&t, 0x3f, 0x40, ImmZero) // memory.size, memory.grow
	t[opI32Const], t[opI64Const], t[opF32Const], t[opF64Const] = ImmI32, ImmI64, ImmF32, ImmF64
	span(&t, 0x45, 0xc4, ImmNone) // arithmetic
	t[opRefNull], t[0xd1], t[opRefFunc] = ImmRefType, ImmNone, ImmRefFunc
	t[opMisc], t[opVector] = ImmMisc, ImmVector
	return t
}()

// miscImmediates are the instructions behind 0xfc.
var miscImmediates = [...]Immediate{
	0: ImmNone, 1: ImmNone, 2: ImmNone, 3: ImmNone, 4: ImmNone, 5: ImmNone, 6: ImmNone, 7: ImmNone, // saturating truncations
	8:  ImmIndexZero, // memory.init
	9:  ImmIndex,     // data.drop
	10: ImmZeroTwo,   // memory.copy
	11: ImmZero,      // memory.fill
	12: ImmIndexTwo,  // table.init
	13: ImmIndex,     // elem.drop
	14: ImmIndexTwo,  // table.copy
	15: ImmIndex,     // table.grow
	16: ImmIndex,     // table.size
	17: ImmIndex,     // table.fill
}

// simdImmediates are the instructions behind 0xfd.
var simdImmediates = func() (t [256]Immediate) {
	span(&t, 0x00, 0x0b, ImmMem) // v128.load … v128.store
	span(&t, simdConst, 0x0d, Imm16)
	span(&t, 0x0e, 0x14, ImmNone) // swizzle, splats
	span(&t, 0x15, 0x22, ImmLane)
	span(&t, 0x23, 0x53, ImmNone)
	span(&t, 0x54, 0x5b, ImmMemLane)
	span(&t, 0x5c, 0x5d, ImmMem)
	span(&t, 0x5e, 0xff, ImmNone)
	for _, gap := range []int{
		0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb, 0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee,
	} {
		t[gap] = ImmUnknown
	}
	return t
}()
