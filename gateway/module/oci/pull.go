package oci

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/oci"
)

// Media types of a module's layer: the CNCF's, which is pushed, and what Kubewarden and solo.io (Istio, Envoy Gateway) push.
const (
	typeWasm       = "application/wasm"
	typeKubewarden = "application/vnd.wasm.content.layer.v1+wasm"
	typeSolo       = "application/vnd.module.wasm.content.layer.v1+wasm"
)

// Artifact is a module that was pulled or pushed.
type Artifact struct {
	Reference Reference // as it was asked for
	Digest    string    // of the manifest, "sha256:…": what Reference.Digest names
	Module    string    // sha256 of Bytes in hex: the digest that the gateway and `module inspect` show
	Bytes     []byte    // at most 64 MiB
	Cached    bool      // came from the cache: no registry was asked
	Uncached  error     // why the cache could not keep it; it is whole all the same
}

// Pull fetches the module that ref names. What it returns has the digests that were asked for, or it is an error. A ref
// with a digest comes from the cache if that has it, so it needs no registry.
func Pull(ctx context.Context, ref Reference, opts Options) (*Artifact, error) {
	ctx, cancel := context.WithTimeout(ctx, opts.timeout())
	defer cancel()
	if ref.Digest != "" && opts.Cache != nil {
		if a, err := opts.Cache.pull(ctx, ref, opts); err == nil {
			return a, nil
		}
	}
	a, err := pull(ctx, ref, opts)
	if err != nil {
		return nil, fmt.Errorf("cannot pull %q: %w", ref, hint(err, ref))
	}
	return a, nil
}

// Reader pulls the module that r names whenever it is called, and gives its bytes: from the cache, if r has a digest.
func (r Reference) Reader(opts Options) func(ctx context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		a, err := Pull(ctx, r, opts)
		if err != nil {
			return nil, err
		}
		return a.Bytes, nil
	}
}

// Resolve asks for the digest of the manifest that ref's tag names now.
func Resolve(ctx context.Context, ref Reference, opts Options) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, opts.timeout())
	defer cancel()
	from, done, err := opts.source(ctx, ref)
	if err != nil {
		return "", fmt.Errorf("cannot resolve %q: %w", ref, hint(err, ref))
	}
	defer done()
	desc, err := from.Resolve(ctx, ref.version())
	if err != nil {
		return "", fmt.Errorf("cannot resolve %q: %w", ref, hint(err, ref))
	}
	return desc.Digest.String(), nil
}

func pull(ctx context.Context, ref Reference, opts Options) (*Artifact, error) {
	from, done, err := opts.source(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer done()
	desc, err := from.Resolve(ctx, ref.version())
	if err != nil {
		return nil, err
	}
	if ref.Digest != "" && desc.Digest.String() != ref.Digest {
		return nil, fmt.Errorf("got the manifest %s", desc.Digest)
	}
	a, manifest, err := read(ctx, from, desc, opts)
	if err != nil {
		return nil, err
	}
	a.Reference = ref
	if opts.Cache != nil {
		a.Uncached = opts.Cache.put(ctx, desc, manifest, a)
	}
	return a, nil
}

// source is where ref is read from.
func (o Options) source(ctx context.Context, ref Reference) (from oras.ReadOnlyTarget, done func(), err error) {
	if ref.Path == "" {
		return o.repository(ref)
	}
	if _, err := os.Stat(ref.Path); err != nil {
		return nil, nil, err
	}
	from, err = oci.NewFromFS(ctx, os.DirFS(ref.Path))
	return from, func() {}, err
}

// read fetches a manifest and the module that it lists; both have the sizes and digests of their descriptors.
func read(ctx context.Context, from content.Fetcher, desc ocispec.Descriptor, opts Options) (*Artifact, []byte, error) {
	if desc.Size > maxManifest {
		return nil, nil, fmt.Errorf("the manifest has %d bytes, more than %d", desc.Size, maxManifest)
	}
	manifest, err := content.FetchAll(ctx, from, desc)
	if err != nil {
		return nil, nil, fmt.Errorf("manifest %s: %w", desc.Digest, err)
	}
	layer, err := layerOf(manifest)
	if err != nil {
		return nil, nil, err
	}
	wasm, err := fetch(ctx, from, layer, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("module %s: %w", layer.Digest, err)
	}
	sum := sha256.Sum256(wasm)
	return &Artifact{Digest: desc.Digest.String(), Module: hex.EncodeToString(sum[:]), Bytes: wasm}, manifest, nil
}

// layerOf finds the one layer that is a module.
func layerOf(text []byte) (ocispec.Descriptor, error) {
	var none ocispec.Descriptor
	var manifest ocispec.Manifest
	if err := json.Unmarshal(text, &manifest); err != nil {
		return none, fmt.Errorf("cannot read the manifest: %w", err)
	}
	if manifest.MediaType == ocispec.MediaTypeImageIndex {
		return none, errors.New("is an index of several artifacts: name one by its digest")
	}
	modules := slices.DeleteFunc(manifest.Layers, func(l ocispec.Descriptor) bool {
		return l.MediaType != typeWasm && l.MediaType != typeKubewarden && l.MediaType != typeSolo
	})
	if len(modules) != 1 {
		return none, fmt.Errorf("has %d layers of a WebAssembly type such as %s, want one", len(modules), typeWasm)
	}
	if size := modules[0].Size; size <= 0 || size > maxModule {
		return none, fmt.Errorf("the module has %d bytes, want 1 to %d", size, maxModule)
	}
	if sum := modules[0].Digest; sum.Validate() != nil || sum.Algorithm() != digest.SHA256 {
		return none, fmt.Errorf("the module's digest %.100q is not of sha256", sum)
	}
	return modules[0], nil
}

// fetch reads a blob of bounded size and checks its digest.
func fetch(ctx context.Context, from content.Fetcher, desc ocispec.Descriptor, opts Options) (wasm []byte, err error) {
	body, err := from.Fetch(ctx, desc)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	return content.ReadAll(&counted{body, 0, desc.Size, opts.progress}, desc)
}

// counted tells how much of a reader has been read.
type counted struct {
	io.Reader
	done, total int64
	tell        func(done, total int64)
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.done += int64(n)
	c.tell(c.done, c.total)
	return n, err
}
