// Package manifest reads what a module says of itself, and packs it into the module's file.
package manifest

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
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
	ABI     ABI     `yaml:"abi" json:"abi"`
	Serves  []Serve `yaml:"serves" json:"serves"`
	Wants   Wants   `yaml:"wants" json:"wants"`
	// Settings is a JSON Schema of the settings that the configuration may give the module; nil: any.
	Settings Schema `yaml:"settings" json:"settings,omitempty"`
	// Limits are those that the module asks for.
	Limits Limits `yaml:"limits" json:"limits,omitzero"`
}

// Serve is one API group that the module answers. No versions: everything under the group.
type Serve struct {
	Group    string   `yaml:"group" json:"group"`
	Versions []string `yaml:"versions" json:"versions,omitempty"`
	// Routes are what is answered below the group; none: whatever comes. What no route matches is answered by the gateway
	// with 404 or 405, and never wakes the module.
	Routes []Route `yaml:"routes" json:"routes,omitempty"`
}

// Wants is what the module asks to be granted.
type Wants struct {
	Kube       []WantKube `yaml:"kube" json:"kube,omitempty"`
	Prometheus bool       `yaml:"prometheus" json:"prometheus,omitempty"`
	Access     bool       `yaml:"access" json:"access,omitempty"`     // what users may do
	Accounts   bool       `yaml:"accounts" json:"accounts,omitempty"` // passwords and sessions
	HTTP       []string   `yaml:"http" json:"http,omitempty"`         // names of backends
	Hosts      []string   `yaml:"hosts" json:"hosts,omitempty"`       // names outside, as api.example.com or *.example.com
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
	hostForm    = regexp.MustCompile(`^(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$`)
	versionForm = regexp.MustCompile(`^v[0-9][a-z0-9]{0,30}$`)
)

// Parse reads a manifest, YAML or JSON. Unknown keys are errors with their line.
func Parse(text []byte) (*Manifest, error) {
	if len(text) > maxSize {
		return nil, fmt.Errorf("manifest has %d bytes, more than %d", len(text), maxSize)
	}
	m := new(Manifest)
	if err := m.read(text); err != nil {
		return nil, fmt.Errorf("cannot read manifest: %w", err)
	}
	return m, m.validate()
}

// read decodes YAML that anybody may have written. The decoder panics on some that is malformed (goccy/go-yaml v1.19.2: a list
// that is a tag without a value), and a module's file must not end the gateway.
func (m *Manifest) read(text []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed YAML: %v", p)
		}
	}()
	return yaml.UnmarshalWithOptions(text, m, yaml.Strict())
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
	for i := range m.Serves {
		if err := m.Serves[i].validate(); err != nil {
			return err
		}
	}
	for _, host := range m.Wants.Hosts {
		if !hostForm.MatchString(host) {
			return fmt.Errorf("manifest: %q is no host such as api.example.com or *.example.com", host)
		}
	}
	if err := m.Limits.validate(); err != nil {
		return err
	}
	_, err := m.Settings.compile()
	return err
}

func (s *Serve) validate() error {
	if !groupForm.MatchString(s.Group) {
		return fmt.Errorf("manifest: group %q is not a DNS subdomain", s.Group)
	}
	for _, v := range s.Versions {
		if !versionForm.MatchString(v) {
			return fmt.Errorf("manifest: version %q of group %q is not like v1 or v1alpha2", v, s.Group)
		}
	}
	for _, r := range s.Routes {
		if err := r.validate(); err != nil {
			return fmt.Errorf("manifest: group %q: %w", s.Group, err)
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
