package binary

import "testing"

// TestInstructionReadsAllOfIt has an instruction of each kind, with a nop behind it.
func TestInstructionReadsAllOfIt(t *testing.T) {
	for name, c := range map[string]struct {
		code   string
		second byte
	}{
		"nop": {"\x01", 0}, "end": {"\x0b", 0}, "block": {"\x02\x40", 0}, "block of a type": {"\x02\x80\x01", 0},
		"br": {"\x0c\x05", 0}, "br_table": {"\x0e\x02\x00\x81\x01\x02", 0}, "call": {"\x10\xff\x01", 0}, "call_indirect": {"\x11\x01\x00", 0},
		"select": {"\x1c\x01\x7f", 0}, "local.get": {"\x20\x80\x01", 0}, "global.get": {"\x23\x01", 0}, "load": {"\x28\x02\x80\x08", 0},
		"memory.size": {"\x3f\x00", 0}, "i32.const": {"\x41\xff\xff\xff\xff\x07", 0}, "i64.const": {"\x42\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f", 0},
		"f32.const": {"\x43abcd", 0}, "f64.const": {"\x44abcdefgh", 0}, "ref.null": {"\xd0\x70", 0}, "ref.func": {"\xd2\x81\x01", 0},
		"memory.init": {"\xfc\x08\x01\x00", 8}, "memory.copy": {"\xfc\x0a\x00\x00", 10}, "table.copy": {"\xfc\x0e\x01\x01", 14},
		"v128.const": {"\xfd\x0c0123456789abcdef", 12}, "lane": {"\xfd\x15\x03", 21}, "load lane": {"\xfd\x54\x00\x00\x01", 84}, "long": {"\xfd\xae\x01", 0xae},
	} {
		b := []byte(c.code + "\x01")
		r := Reader{B: b, End: len(b)}
		op, second := r.Instruction()
		if r.Err != nil || op != b[0] || second != c.second || r.Pos != len(b)-1 {
			t.Errorf("%s: %#x %#x up to %d of %d, error %v", name, op, second, r.Pos, len(b)-1, r.Err)
		}
		for cut := range len(c.code) {
			r = Reader{B: b[:cut], End: cut}
			if r.Instruction(); r.Err == nil {
				t.Errorf("%s: its first %d bytes pass for it", name, cut)
			}
		}
	}
	for _, unknown := range []string{"\x06", "\xfe\x00", "\xfc\x12", "\xfd\x9a\x01", "\xfd\x80\x02"} {
		r := Reader{B: []byte(unknown + "\x01\x01"), End: len(unknown) + 2}
		if r.Instruction(); r.Err == nil {
			t.Errorf("%q passes", unknown)
		}
	}
}
