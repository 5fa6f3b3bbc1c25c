// Package signature signs modules and checks who has: with keys in files, offline, in custom sections at the module's end.
// hostabi/ABI.md describes the format.
package signature

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/posternhq/postern/hostabi"
)

// Bounds of a section, bytes, and of how many a module may have.
const (
	version      = 1
	headSize     = 2 + sha256.Size // version, algorithm, key id
	maxSignature = 72              // of ECDSA P-256 in DER, the longest
	maxSections  = 16
)

// statement is what is signed, before the sha256 of the module: a signature for one purpose must not do for another.
const statement = "postern.signature.v1\n"

// section is one signature.
type section struct {
	algorithm algorithm
	key       keyID
	signature []byte
}

// Sign appends a signature by an ed25519 or ECDSA P-256 key. What is signed is all but the signatures, so their order does not
// matter. A key signs a module once.
func Sign(wasm []byte, key crypto.Signer) ([]byte, error) {
	signer, err := newPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	body, sections, err := split(wasm)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(sections, func(s section) bool { return s.key == signer.id }) {
		return nil, fmt.Errorf("key %s has signed this module already", signer.id)
	}
	if len(sections) == maxSections {
		return nil, fmt.Errorf("the module has %d signatures, and cannot have more", maxSections)
	}
	message, options := signer.algorithm.message(body)
	signed, err := key.Sign(rand.Reader, message, options)
	if err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	return section{signer.algorithm, signer.id, signed}.append(bytes.Clone(wasm)), nil
}

// Verify checks a module's signatures, and names those of signers who have signed it, in their order. Signatures by other
// keys are passed over. A signature by one of signers that does not hold, or sections that are not as they should be, are
// errors. No signature is none.
func Verify(wasm []byte, signers []Signer) (names []string, err error) {
	body, sections, err := split(wasm)
	if err != nil {
		return nil, err
	}
	for _, s := range signers {
		signed := false
		for _, section := range sections {
			key, known := s.key(section.key)
			if !known {
				continue
			}
			if !key.holds(section, body) {
				return nil, fmt.Errorf("the signature of %q does not hold: the module is not what was signed", s.Name)
			}
			signed = true
		}
		if signed {
			names = append(names, s.Name)
		}
	}
	return names, nil
}

// Require says which of signers have not signed a module; nil when all have.
func Require(wasm []byte, signers []Signer) error {
	names, err := Verify(wasm, signers)
	if err != nil {
		return err
	}
	var missing []error
	for _, s := range signers {
		if !slices.Contains(names, s.Name) {
			missing = append(missing, fmt.Errorf("is not signed by %q", s.Name))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	ids, err := KeyIDs(wasm)
	if len(ids) == 0 {
		return errors.Join(append(missing, errors.New("has no signature"), err)...)
	}
	return errors.Join(append(missing, fmt.Errorf("is signed by keys %.16q", ids), err)...)
}

// KeyIDs are the keys that a module's signatures name, in hex. Nothing is checked but their form.
func KeyIDs(wasm []byte) ([]string, error) {
	_, sections, err := split(wasm)
	var ids []string
	for _, s := range sections {
		ids = append(ids, s.key.String())
	}
	return ids, err
}

// Unsigned is a module without its signatures; as it is, when they are not where they should be.
func Unsigned(wasm []byte) []byte {
	body, _, err := split(wasm)
	if err != nil {
		return wasm
	}
	return body
}

// append writes a section to the end of a module.
func (s section) append(wasm []byte) []byte {
	content := binary.AppendUvarint(nil, uint64(len(hostabi.SectionSignature)))
	content = append(content, hostabi.SectionSignature...)
	content = append(content, version, byte(s.algorithm))
	content = append(append(content, s.key[:]...), s.signature...)
	wasm = binary.AppendUvarint(append(wasm, 0), uint64(len(content)))
	return append(wasm, content...)
}

// split cuts a module in front of its first signature. Behind it there may be nothing but signatures, each by another key,
// and each written in the one way that append has.
func split(wasm []byte) (body []byte, sections []section, err error) {
	if !bytes.HasPrefix(wasm, []byte("\x00asm\x01\x00\x00\x00")) {
		return nil, nil, errors.New("not a WebAssembly core module of version 1")
	}
	body = wasm
	for at := 8; at < len(wasm); {
		content, end, err := next(wasm, at)
		if err != nil {
			return nil, nil, err
		}
		found, ok := named(wasm[at], content)
		switch {
		case ok:
			s, err := parse(found)
			if err == nil && !bytes.Equal(s.append(nil), wasm[at:end]) {
				err = errors.New("is not in its shortest form")
			}
			if err == nil && slices.ContainsFunc(sections, func(other section) bool { return other.key == s.key }) {
				err = fmt.Errorf("is the second one by key %s", s.key)
			}
			if err == nil && len(sections) == maxSections {
				err = fmt.Errorf("is one more than %d", maxSections)
			}
			if err != nil {
				return nil, nil, fmt.Errorf("signature at byte %d: %w", at, err)
			}
			if sections = append(sections, s); len(sections) == 1 {
				body = wasm[:at:at]
			}
		case len(sections) > 0:
			return nil, nil, fmt.Errorf("section at byte %d follows a signature, which does not cover it", at)
		}
		at = end
	}
	return body, sections, nil
}

// next is the content of the section at a byte, and where it ends.
func next(wasm []byte, at int) (content []byte, end int, err error) {
	size, n := binary.Uvarint(wasm[at+1:])
	if n <= 0 || n > 5 || size > uint64(len(wasm)-at-1-n) {
		return nil, 0, fmt.Errorf("section at byte %d is cut off", at)
	}
	end = at + 1 + n + int(size)
	return wasm[at+1+n : end], end, nil
}

// named is what follows the name of a custom section, if it is a signature's.
func named(id byte, content []byte) ([]byte, bool) {
	if id != 0 {
		return nil, false
	}
	size, n := binary.Uvarint(content)
	if n <= 0 || size > uint64(len(content)-n) || string(content[n:n+int(size)]) != hostabi.SectionSignature {
		return nil, false
	}
	return content[n+int(size):], true
}

// parse reads a signature.
func parse(b []byte) (section, error) {
	switch {
	case len(b) < headSize:
		return section{}, fmt.Errorf("has %d bytes, fewer than %d", len(b), headSize)
	case b[0] != version:
		return section{}, fmt.Errorf("has version %d: this program knows %d", b[0], version)
	case algorithm(b[1]) != ed25519Key && algorithm(b[1]) != ecdsaKey:
		return section{}, fmt.Errorf("has the unknown algorithm %d", b[1])
	case len(b) > headSize+maxSignature:
		return section{}, fmt.Errorf("has %d bytes, more than %d", len(b), headSize+maxSignature)
	}
	return section{algorithm(b[1]), keyID(b[2:headSize]), b[headSize:]}, nil
}

// String is the id in hex.
func (k keyID) String() string { return hex.EncodeToString(k[:]) }
