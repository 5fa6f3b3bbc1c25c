package module

import "github.com/posternhq/postern/gateway/module/binary"

// imported lists the functions that a module imports, as module and name, of bytes that metered has made: so that
// what is not granted is known before the seconds of compiling.
func imported(wasm []byte) (all [][2]string, err error) {
	r := binary.Reader{B: wasm, Pos: 8, End: len(wasm)}
	for r.More() {
		id := r.Byte()
		section := r.Sub(int(r.U32()))
		if id != binary.SecImport {
			continue
		}
		for range section.Count(4, "imports") {
			module, name := section.Name(), section.Name()
			kind := section.Byte()
			if kind == binary.KindFunc {
				all = append(all, [2]string{module, name})
			}
			importType(&section, kind)
		}
		return all, section.Err
	}
	return nil, r.Err
}

// importType moves past the type of an import whose kind has just been read.
func importType(r *binary.Reader, kind byte) {
	switch kind {
	case binary.KindFunc:
		r.U32()
	case binary.KindTable:
		r.RefType()
		r.Limits()
	case binary.KindMemory:
		r.Limits()
	case binary.KindGlobal:
		r.ValueType()
		r.Byte()
	default:
		r.Fail(r.Pos, "unknown kind %#x of import", kind)
	}
}
