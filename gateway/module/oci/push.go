package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/errdef"
)

// typeConfig is the media type of the CNCF layout's config.
const typeConfig = "application/vnd.wasm.config.v0+json"

// config is the CNCF layout's. The time is the epoch, so that the same module is the same artifact whoever pushes it, and when.
type config struct {
	Created      string   `json:"created"`
	Architecture string   `json:"architecture"`
	OS           string   `json:"os"`
	LayerDigests []string `json:"layerDigests"`
}

// Push stores a module under ref's tag, and says under which digest. The same bytes and annotations give the same digest.
func Push(ctx context.Context, ref Reference, wasm []byte, opts Options) (*Artifact, error) {
	ctx, cancel := context.WithTimeout(ctx, opts.timeout())
	defer cancel()
	a, err := push(ctx, ref, wasm, opts)
	if err != nil {
		return nil, fmt.Errorf("cannot push to %q: %w", ref, hint(err, ref))
	}
	return a, nil
}

func push(ctx context.Context, ref Reference, wasm []byte, opts Options) (*Artifact, error) {
	if !bytes.HasPrefix(wasm, []byte("\x00asm\x01\x00\x00\x00")) {
		return nil, errors.New("not a WebAssembly core module of version 1")
	}
	if len(wasm) > maxModule {
		return nil, fmt.Errorf("the module has %d bytes, more than %d", len(wasm), maxModule)
	}
	if ref.Tag == "" || ref.Digest != "" {
		return nil, errors.New("want a reference with a tag and without a digest: the digest is what the push gives")
	}
	to, done, err := opts.destination(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer done()
	layer := content.NewDescriptorFromBytes(typeWasm, wasm)
	settings, manifest, err := describe(layer, opts.Annotations)
	if err != nil {
		return nil, err
	}
	module := &counted{bytes.NewReader(wasm), 0, layer.Size, opts.progress}
	if err := store(ctx, to, layer, module); err != nil {
		return nil, err
	}
	opts.progress(layer.Size, layer.Size) // also when it was there already
	if err := store(ctx, to, content.NewDescriptorFromBytes(typeConfig, settings), bytes.NewReader(settings)); err != nil {
		return nil, err
	}
	desc, err := oras.TagBytes(ctx, to, ocispec.MediaTypeImageManifest, manifest, ref.Tag)
	if err != nil {
		return nil, err
	}
	return &Artifact{Reference: ref, Digest: desc.Digest.String(), Module: layer.Digest.Encoded(), Bytes: wasm}, nil
}

// describe makes the config and the manifest of a layer.
func describe(layer ocispec.Descriptor, annotations map[string]string) (settings, manifest []byte, err error) {
	settings, err = json.Marshal(config{"1970-01-01T00:00:00Z", "wasm", "wasip1", []string{layer.Digest.String()}})
	if err != nil {
		return nil, nil, err
	}
	manifest, err = json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    content.NewDescriptorFromBytes(typeConfig, settings),
		Layers:    []ocispec.Descriptor{layer}, Annotations: maps.Clone(annotations),
	})
	return settings, manifest, err
}

// destination is where ref is written to. An image-layout folder is made if it is not there.
func (o Options) destination(ctx context.Context, ref Reference) (to oras.Target, done func(), err error) {
	if ref.Path == "" {
		return o.repository(ref)
	}
	to, err = oci.NewWithContext(ctx, ref.Path)
	return to, func() {}, err
}

// store writes a blob unless it is there.
func store(ctx context.Context, to oras.Target, desc ocispec.Descriptor, from io.Reader) error {
	there, err := to.Exists(ctx, desc)
	if err != nil || there {
		return err
	}
	if err := to.Push(ctx, desc, from); err != nil && !errors.Is(err, errdef.ErrAlreadyExists) {
		return err
	}
	return nil
}
