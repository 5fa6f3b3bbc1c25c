package binary

// Instruction reads one instruction with all that follows it, and is its opcode; of an instruction of two bytes (0xfc, 0xfd)
// second is the other one.
func (r *Reader) Instruction() (op, second byte) {
	at := r.Pos
	op = r.Byte()
	switch imm := Immediates[op]; imm {
	case ImmEnd:
	case ImmCall, ImmGlobal, ImmBranch, ImmRefFunc:
		r.U32()
	case ImmCallIndirect:
		r.U32()
		r.U32()
	case ImmBlock:
		r.S33()
	case ImmBrTable:
		for range r.Count(1, "labels") + 1 {
			r.U32()
		}
	case ImmMisc, ImmVector:
		second = r.Prefixed(imm, at)
	default:
		r.Immediate(imm, at)
	}
	return op, second
}

// Immediate reads what follows an opcode at offset at, of a kind that means nothing outside the instruction: no block, label,
// function, type, or second opcode.
func (r *Reader) Immediate(imm Immediate, at int) {
	switch imm {
	case ImmNone:
	case ImmIndex:
		r.U32()
	case ImmMem, ImmIndexTwo:
		r.U32()
		r.U32()
	case ImmMemLane:
		r.U32()
		r.U32()
		r.Skip(1)
	case ImmZero:
		r.Want(0, "reserved byte")
	case ImmZeroTwo:
		r.Want(0, "reserved byte")
		r.Want(0, "reserved byte")
	case ImmIndexZero:
		r.U32()
		r.Want(0, "reserved byte")
	case ImmI32:
		r.SkipLEB(5)
	case ImmI64:
		r.SkipLEB(10)
	case ImmF32:
		r.Skip(4)
	case ImmF64:
		r.Skip(8)
	case Imm16:
		r.Skip(16)
	case ImmLane:
		r.Skip(1)
	case ImmSelect:
		r.Want(1, "number of types")
		r.ValueType()
	case ImmRefType:
		r.RefType()
	default:
		r.Fail(at, "unknown instruction %#x", r.B[at])
	}
}

// Prefixed reads the rest of an instruction of two bytes at offset at, and is its second opcode. That is a LEB128 number, but
// the runtime looks at single bytes and takes the 0x01 that ends numbers of 0x80 and above for a nop. So nothing but the
// shortest encoding may pass, lest the two disagree on where instructions begin.
func (r *Reader) Prefixed(imm Immediate, at int) byte {
	op := r.Byte()
	kind := ImmUnknown
	if imm == ImmVector {
		if kind = simdImmediates[op]; op >= 0x80 {
			r.Want(1, "second byte of a vector opcode")
		}
	} else if int(op) < len(miscImmediates) {
		kind = miscImmediates[op]
	}
	if kind == ImmUnknown {
		r.Fail(at, "unknown instruction %#x %#x", r.B[min(at, len(r.B)-1)], op)
		return 0
	}
	r.Immediate(kind, at)
	return op
}
