package binary

// Section ids.
const (
	SecCustom = iota
	SecType
	SecImport
	SecFunction
	SecTable
	SecMemory
	SecGlobal
	SecExport
	SecStart
	SecElement
	SecCode
	SecData
	SecDataCount
)

// SectionOrder is the order that the specification demands, by section id.
var SectionOrder = [...]int{
	SecType: 1, SecImport: 2, SecFunction: 3, SecTable: 4, SecMemory: 5, SecGlobal: 6, SecExport: 7,
	SecStart: 8, SecElement: 9, SecDataCount: 10, SecCode: 11, SecData: 12,
}

// Types, and the form of the only kind of type there is.
const (
	TypeI32     = 0x7f
	TypeV128    = 0x7b
	TypeFuncref = 0x70
	TypeExtern  = 0x6f
	FormFunc    = 0x60
)

// Kinds of imports and exports.
const (
	KindFunc = iota
	KindTable
	KindMemory
	KindGlobal
)

// ValueType reads the type of a value.
func (r *Reader) ValueType() {
	at := r.Pos
	if t := r.Byte(); (t < 0x7b || t > TypeI32) && t != TypeFuncref && t != TypeExtern {
		r.Fail(at, "unknown value type %#x", t)
	}
}

// RefType reads the type of a reference.
func (r *Reader) RefType() {
	at := r.Pos
	if t := r.Byte(); t != TypeFuncref && t != TypeExtern {
		r.Fail(at, "unknown reference type %#x", t)
	}
}

// Limits reads the limits of a table or memory. Shared and 64-bit ones are refused.
func (r *Reader) Limits() (lo, hi uint32, bounded bool) {
	at := r.Pos
	switch flags := r.Byte(); flags {
	case 0:
		return r.U32(), 0, false
	case 1:
		return r.U32(), r.U32(), true
	default:
		r.Fail(at, "unknown flags of limits %#x", flags)
		return 0, 0, false
	}
}
