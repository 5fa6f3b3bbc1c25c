package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"

	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/source"
)

// build compiles the Go guest in a folder of the repository.
func build(ctx context.Context, dir string) ([]byte, error) {
	return source.Build(ctx, filepath.FromSlash(dir))
}

// rich is a guest of six megabytes that answers bench.postern.io/v1.
func rich(ctx context.Context) ([]byte, error) { return build(ctx, "bench/modules/guests/rich") }

// renamed is a module with another manifest: its code is the same, and so is the cache's entry.
func renamed(wasm []byte, name, version, group string) ([]byte, error) {
	return manifest.Pack(wasm, fmt.Appendf(nil, "name: %s\nversion: %q\nserves: [{group: %s, versions: [v1]}]\n", name, version, group))
}

// distinct is a module with one more custom section, so that no cache knows it: it must be compiled as if its code were new.
func distinct(wasm []byte, serial string) []byte {
	const name = "bench.serial"
	body := append([]byte{byte(len(name))}, name+serial...)
	out := binary.AppendUvarint(append(append(make([]byte, 0, len(wasm)+len(body)+8), wasm...), 0), uint64(len(body)))
	return append(out, body...)
}
