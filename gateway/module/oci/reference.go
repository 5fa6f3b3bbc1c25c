// Package oci brings modules to and from OCI registries and image-layout folders, in the CNCF layout for WebAssembly:
// https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact.
package oci

import (
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/registry"
)

// Schemes of references.
const (
	schemeRegistry = "oci://"
	schemeLayout   = "oci-layout://"
)

// maxReference bounds a reference, bytes: a path of 4 KiB, the longest that Linux has, and its tag.
const maxReference = 4096 + 256

// Reference names an artifact: oci://HOST/REPOSITORY or oci-layout://PATH, then :TAG, @DIGEST, or both, of which the
// digest counts.
type Reference struct {
	Host       string // of a registry, with its port; empty for a folder
	Repository string
	Path       string // of an image-layout folder; empty for a registry
	Tag        string
	Digest     string // of the manifest, "sha256:…"
}

// ParseReference reads a reference. One with neither tag nor digest is an error: nobody should run "latest" by leaving
// something out.
func ParseReference(text string) (Reference, error) {
	r, err := parse(text)
	if err != nil {
		return Reference{}, fmt.Errorf("cannot read reference %.300q: %w", text, err)
	}
	return r, nil
}

func parse(text string) (Reference, error) {
	if len(text) > maxReference {
		return Reference{}, fmt.Errorf("longer than %d bytes", maxReference)
	}
	place, layout := strings.CutPrefix(text, schemeLayout)
	if !layout {
		var ok bool
		if place, ok = strings.CutPrefix(text, schemeRegistry); !ok {
			return Reference{}, errors.New("want oci://HOST/REPOSITORY:TAG, oci://HOST/REPOSITORY@sha256:… or oci-layout://PATH:TAG")
		}
	}
	var r Reference
	place, r.Tag, r.Digest = cutVersion(place)
	if r.Tag == "" && r.Digest == "" {
		return Reference{}, errors.New("has neither a tag nor a digest: append :TAG or @sha256:…")
	}
	if layout {
		r.Path = place
	} else {
		r.Host, r.Repository, _ = strings.Cut(place, "/")
	}
	return r, r.validate()
}

// cutVersion splits a reference without its scheme. A colon before the last slash belongs to a port or a path.
func cutVersion(text string) (place, tag, sum string) {
	place = text
	if i := strings.LastIndexByte(place, '@'); i >= 0 && strings.HasPrefix(place[i+1:], "sha256:") {
		place, sum = place[:i], place[i+1:]
	}
	if i := strings.LastIndexByte(place, ':'); i > strings.LastIndexByte(place, '/') {
		place, tag = place[:i], place[i+1:]
	}
	return place, tag, sum
}

// validate checks each part by the rules of the distribution specification.
func (r Reference) validate() error {
	of := registry.Reference{Registry: r.Host, Repository: r.Repository, Reference: r.Tag}
	if r.Tag != "" {
		if err := of.ValidateReferenceAsTag(); err != nil {
			return err
		}
	}
	if r.Digest != "" {
		if err := digest.Digest(r.Digest).Validate(); err != nil {
			return fmt.Errorf("digest %q: %w", r.Digest, err)
		}
	}
	if r.Host == "" && r.Repository == "" {
		if r.Path == "" || strings.ContainsRune(r.Path, 0) {
			return errors.New("has no path")
		}
		return nil
	}
	return errors.Join(of.ValidateRegistry(), of.ValidateRepository())
}

// String is the reference as it is written.
func (r Reference) String() string {
	text := schemeRegistry + r.Host + "/" + r.Repository
	if r.Path != "" {
		text = schemeLayout + r.Path
	}
	if r.Tag != "" {
		text += ":" + r.Tag
	}
	if r.Digest != "" {
		text += "@" + r.Digest
	}
	return text
}

// At is the reference to what has the digest, whatever the tag says now.
func (r Reference) At(sum string) Reference {
	r.Digest = sum
	return r
}

// version is what a registry or folder is asked for.
func (r Reference) version() string {
	if r.Digest != "" {
		return r.Digest
	}
	return r.Tag
}
