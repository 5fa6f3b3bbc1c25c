package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/errdef"
)

// cacheBytes is the default bound of a Cache: eight modules of the largest size, or a hundred common ones.
const cacheBytes = 512 << 20

// Cache keeps artifacts by digest in a folder, so that what was pulled once needs no registry. It is bounded: what was not
// used for the longest time goes first. Contents are checked when they are read. Several processes may share a folder.
type Cache struct {
	dir   string
	limit int64
	blobs *oci.Storage
	mu    sync.Mutex // one eviction at a time
}

// OpenCache makes or opens a cache of at most limit bytes; 0 is 512 MiB.
func OpenCache(dir string, limit int64) (*Cache, error) {
	if limit <= 0 {
		limit = cacheBytes
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot use %q as the cache of artifacts: %w", dir, err)
	}
	blobs, err := oci.NewStorage(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot use %q as the cache of artifacts: %w", dir, err)
	}
	return &Cache{dir: dir, limit: limit, blobs: blobs}, nil
}

// pull reads what has ref's digest.
func (c *Cache) pull(ctx context.Context, ref Reference, opts Options) (*Artifact, error) {
	name := c.path(digest.Digest(ref.Digest))
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	desc := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.Digest(ref.Digest), Size: info.Size()}
	a, _, err := read(ctx, c.blobs, desc, opts)
	if err != nil {
		// Damaged or half evicted: away with it, so that the next put writes it anew.
		return nil, errors.Join(err, os.Remove(name))
	}
	a.Reference, a.Cached = ref, true
	for _, used := range []digest.Digest{desc.Digest, digest.NewDigestFromEncoded(digest.SHA256, a.Module)} {
		now := time.Now()
		_ = os.Chtimes(c.path(used), now, now) // in vain when another process evicts it now; the bytes are here
	}
	return a, nil
}

// put keeps an artifact.
func (c *Cache) put(ctx context.Context, desc ocispec.Descriptor, manifest []byte, a *Artifact) error {
	layer := ocispec.Descriptor{Digest: digest.NewDigestFromEncoded(digest.SHA256, a.Module), Size: int64(len(a.Bytes))}
	for _, blob := range []struct {
		ocispec.Descriptor
		bytes []byte
	}{{layer, a.Bytes}, {desc, manifest}} {
		if !c.intact(blob.Digest, blob.bytes) {
			if err := c.blobs.Push(ctx, blob.Descriptor, bytes.NewReader(blob.bytes)); err != nil && !errors.Is(err, errdef.ErrAlreadyExists) {
				return fmt.Errorf("cannot keep %s in the cache: %w", blob.Digest, err)
			}
		}
	}
	return c.evict(desc.Digest, layer.Digest)
}

// intact says whether the cache has a blob as it should be; a damaged one is removed.
func (c *Cache) intact(sum digest.Digest, want []byte) bool {
	name := c.path(sum)
	info, err := os.Stat(name)
	if err != nil {
		return false
	}
	if info.Size() == int64(len(want)) {
		if have, err := os.ReadFile(name); err == nil && bytes.Equal(have, want) {
			return true
		}
	}
	_ = os.Remove(name)
	return false
}

func (c *Cache) path(sum digest.Digest) string {
	return filepath.Join(c.dir, "blobs", sum.Algorithm().String(), sum.Encoded())
}

// evict removes what was not used for the longest time until the rest is within the limit; never what is being kept now.
func (c *Cache) evict(keep ...digest.Digest) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	entries, err := os.ReadDir(filepath.Join(c.dir, "blobs", "sha256"))
	if err != nil {
		return fmt.Errorf("cannot look after the cache: %w", err)
	}
	var blobs []fs.FileInfo
	total := int64(0)
	for _, e := range entries {
		if info, err := e.Info(); err == nil { // else another process has just removed it
			blobs, total = append(blobs, info), total+info.Size()
		}
	}
	slices.SortFunc(blobs, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, b := range blobs {
		sum := digest.NewDigestFromEncoded(digest.SHA256, b.Name())
		if total <= c.limit || slices.Contains(keep, sum) {
			continue
		}
		if err := os.Remove(c.path(sum)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot look after the cache: %w", err)
		}
		total -= b.Size()
	}
	return nil
}
