package httpsyntax

import "testing"

// TestValueByEveryByte puts every byte at every place of values long enough for both ways of looking.
func TestValueByEveryByte(t *testing.T) {
	for c := range 256 {
		for at := range 19 {
			b := []byte("nineteen bytes long")
			b[at] = byte(c)
			want := c == '\t' || c >= ' ' && c != 0x7f
			if IsValue(b) != want {
				t.Fatalf("byte %#x at %d: got %t", c, at, !want)
			}
		}
	}
}

func TestToken(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, "GET": true, "X-Header_1": true, "a b": false, "a:": false, "a\x00": false, "é": false, "!#$%&'*+-.^_`|~": true, "a(b": false,
	} {
		if IsToken(text) != want || IsToken([]byte(text)) != want {
			t.Errorf("IsToken(%q) is not %t", text, want)
		}
	}
}
