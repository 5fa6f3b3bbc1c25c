package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/posternhq/postern/hostabi"
)

// Pack puts a manifest into a module's custom section, in the place of one that is there already.
func Pack(wasm, manifest []byte) ([]byte, error) {
	if _, err := Parse(manifest); err != nil {
		return nil, err
	}
	out, _, err := cut(wasm)
	if err != nil {
		return nil, err
	}
	body := binary.AppendUvarint(nil, uint64(len(hostabi.SectionManifest)))
	body = append(append(body, hostabi.SectionManifest...), manifest...)
	out = binary.AppendUvarint(append(out, 0), uint64(len(body)))
	return append(out, body...), nil
}

// Of reads the manifest of a module's bytes.
func Of(wasm []byte) (*Manifest, error) {
	m, _, err := Split(wasm)
	return m, err
}

// Split is a module's manifest, and its bytes without it: what the same code has in common, whatever its manifest says.
func Split(wasm []byte) (m *Manifest, rest []byte, err error) {
	rest, text, err := cut(wasm)
	if err != nil {
		return nil, nil, err
	}
	if text == nil {
		return nil, nil, fmt.Errorf("no custom section %q: put module.yaml into it with `postern module pack`", hostabi.SectionManifest)
	}
	m, err = Parse(text)
	return m, rest, err
}

// cut splits a module into itself without the manifest's section, and the manifest; nil if there is none.
func cut(wasm []byte) (rest, manifest []byte, err error) {
	if !strings.HasPrefix(string(wasm[:min(8, len(wasm))]), "\x00asm\x01\x00\x00\x00") {
		return nil, nil, errors.New("not a WebAssembly core module of version 1")
	}
	rest = append(make([]byte, 0, len(wasm)), wasm[:8]...)
	for at := 8; at < len(wasm); {
		size, n := binary.Uvarint(wasm[at+1:])
		if n <= 0 || size > uint64(len(wasm)-at-1-n) {
			return nil, nil, fmt.Errorf("section at byte %d is cut off", at)
		}
		end := at + 1 + n + int(size)
		if text, ok := section(wasm[at], wasm[at+1+n:end]); ok {
			if manifest != nil {
				return nil, nil, errors.New("two manifests: which one counts would be anybody's guess")
			}
			manifest = text
		} else {
			rest = append(rest, wasm[at:end]...)
		}
		at = end
	}
	return rest, manifest, nil
}

// section is the content of a section if it is the manifest's.
func section(id byte, body []byte) ([]byte, bool) {
	if id != 0 {
		return nil, false
	}
	size, n := binary.Uvarint(body)
	if n <= 0 || size > uint64(len(body)-n) || string(body[n:n+int(size)]) != hostabi.SectionManifest {
		return nil, false
	}
	return body[n+int(size):], true
}
