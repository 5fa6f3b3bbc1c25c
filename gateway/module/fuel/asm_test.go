package fuel

import "github.com/posternhq/postern/gateway/module/binary"

// A small assembler: a section is a list of entries, an entry is bytes.

type asm struct {
	types, imports, funcs, tables, mems, globals, exports, elems, codes, datas [][]byte

	start     []byte
	dataCount bool
	customs   [][]byte // whole payloads, placed at the end
}

const (
	i32  = 0x7f
	i64  = 0x7e
	v128 = 0x7b
)

func cat(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func vec(entries ...[]byte) []byte {
	return append(binary.AppendU32(nil, uint32(len(entries))), cat(entries...)...)
}

func text(s string) []byte { return binary.AppendName(nil, s) }

func sect(out []byte, id byte, payload []byte) []byte {
	return append(binary.AppendU32(append(out, id), uint32(len(payload))), payload...)
}

func (a *asm) bytes() []byte {
	out := []byte("\x00asm\x01\x00\x00\x00")
	list := func(id byte, entries [][]byte) {
		if len(entries) > 0 {
			out = sect(out, id, vec(entries...))
		}
	}
	list(binary.SecType, a.types)
	list(binary.SecImport, a.imports)
	list(binary.SecFunction, a.funcs)
	list(binary.SecTable, a.tables)
	list(binary.SecMemory, a.mems)
	list(binary.SecGlobal, a.globals)
	list(binary.SecExport, a.exports)
	if a.start != nil {
		out = sect(out, binary.SecStart, a.start)
	}
	list(binary.SecElement, a.elems)
	if a.dataCount {
		out = sect(out, binary.SecDataCount, binary.AppendU32(nil, uint32(len(a.datas))))
	}
	list(binary.SecCode, a.codes)
	list(binary.SecData, a.datas)
	for _, c := range a.customs {
		out = sect(out, binary.SecCustom, c)
	}
	return out
}

// sig adds a type and returns its index.
func (a *asm) sig(params, results []byte) byte {
	t := cat([]byte{binary.FormFunc}, binary.AppendName(nil, string(params)), binary.AppendName(nil, string(results)))
	a.types = append(a.types, t)
	return byte(len(a.types) - 1)
}

// fn adds a function of type t with i32 locals and returns its index among the defined ones.
func (a *asm) fn(t byte, locals byte, code ...byte) byte {
	a.funcs = append(a.funcs, []byte{t})
	var groups []byte
	if locals > 0 {
		groups = []byte{1, locals, i32}
	} else {
		groups = []byte{0}
	}
	body := cat(groups, code, []byte{opEnd})
	a.codes = append(a.codes, binary.AppendName(nil, string(body)))
	return byte(len(a.funcs) - 1)
}

func (a *asm) export(name string, kind, index byte) {
	a.exports = append(a.exports, cat(text(name), []byte{kind, index}))
}

func (a *asm) importFunc(name string, t byte) {
	a.imports = append(a.imports, cat(text("env"), text(name), []byte{binary.KindFunc, t}))
}

// single is a module of one exported function "run".
func single(params, results []byte, locals byte, code ...byte) []byte {
	a := &asm{}
	a.export("run", binary.KindFunc, a.fn(a.sig(params, results), locals, code...))
	return a.bytes()
}
