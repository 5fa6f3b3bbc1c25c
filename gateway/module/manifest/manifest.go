// Package manifest reads what a module says of itself, and packs it into the module's file.
package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"github.com/posternhq/postern/hostabi"
)

// Bounds of the manifest's section, and of the version, which metrics and logs repeat; bytes.
const (
	maxSize    = 64 << 10
	maxVersion = 128
)

// Manifest is what a module says of itself, from its custom section `postern.module`.
type Manifest struct {
	Name    string  `yaml:"name" json:"name"`
	Version string  `yaml:"version" json:"version"`
	Serves  []Serve `yaml:"serves" json:"serves"`
	Wants   Wants   `yaml:"wants" json:"wants"`
}

// Serve is one API group that the module answers. No versions: everything under the group.
type Serve struct {
	Group    string   `yaml:"group" json:"group"`
	Versions []string `yaml:"versions" json:"versions,omitempty"`
}

// Wants is what the module asks to be granted.
type Wants struct {
	Kube       []WantKube `yaml:"kube" json:"kube,omitempty"`
	Prometheus bool       `yaml:"prometheus" json:"prometheus,omitempty"`
	HTTP       []string   `yaml:"http" json:"http,omitempty"`
}

// WantKube is a wanted rule over Kubernetes resources.
type WantKube struct {
	Groups    []string `yaml:"groups" json:"groups"`
	Resources []string `yaml:"resources" json:"resources"`
	Verbs     []string `yaml:"verbs" json:"verbs"`
}

var (
	nameForm    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	groupForm   = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
	versionForm = regexp.MustCompile(`^v[0-9][a-z0-9]{0,30}$`)
)

// Parse reads a manifest, YAML or JSON. Unknown keys are errors with their line.
func Parse(text []byte) (*Manifest, error) {
	if len(text) > maxSize {
		return nil, fmt.Errorf("manifest has %d bytes, more than %d", len(text), maxSize)
	}
	m := new(Manifest)
	if err := yaml.UnmarshalWithOptions(text, m, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("cannot read manifest: %w", err)
	}
	return m, m.validate()
}

func (m *Manifest) validate() error {
	if !nameForm.MatchString(m.Name) {
		return fmt.Errorf("manifest: name %q is not [a-z0-9-]{1,63}", m.Name)
	}
	if len(m.Version) > maxVersion || !utf8.ValidString(m.Version) || strings.ContainsFunc(m.Version, unicode.IsControl) {
		return fmt.Errorf("manifest: version %q is not up to %d bytes of plain text", m.Version, maxVersion)
	}
	if len(m.Serves) == 0 {
		return errors.New("manifest: serves is empty: the module answers nothing")
	}
	for _, s := range m.Serves {
		if !groupForm.MatchString(s.Group) {
			return fmt.Errorf("manifest: group %q is not a DNS subdomain", s.Group)
		}
		for _, v := range s.Versions {
			if !versionForm.MatchString(v) {
				return fmt.Errorf("manifest: version %q of group %q is not like v1 or v1alpha2", v, s.Group)
			}
		}
	}
	return nil
}

// Routes are the keys of the table that the module answers: "group/version", or "group/" for all versions.
func (m *Manifest) Routes() []string {
	var keys []string
	for _, s := range m.Serves {
		if len(s.Versions) == 0 {
			keys = append(keys, s.Group+"/")
		}
		for _, v := range s.Versions {
			keys = append(keys, s.Group+"/"+v)
		}
	}
	return keys
}

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
