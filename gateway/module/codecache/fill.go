package codecache

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tetratelabs/wazero"
)

// InProcess is the Compile that does it here.
func InProcess(ctx context.Context, dir string, wasm []byte) (err error) {
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return err
	}
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCompilationCache(cache))
	defer func() { err = errors.Join(err, runtime.Close(ctx), cache.Close(ctx)) }()
	_, err = runtime.CompileModule(ctx, wasm)
	return err
}

// Main is what the child process does: it lowers its own priority, reads a module and compiles it into dir.
func Main(ctx context.Context, dir string, wasm io.Reader) error {
	yield()
	code, err := io.ReadAll(io.LimitReader(wasm, maxSource+1))
	if err != nil {
		return fmt.Errorf("cannot read the module: %w", err)
	}
	if len(code) > maxSource {
		return fmt.Errorf("the module has more than %d bytes", maxSource)
	}
	return InProcess(ctx, dir, code)
}
