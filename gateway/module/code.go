package module

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/posternhq/postern/gateway/module/codecache"
)

// How a module's machine code came to be.
const (
	CodeCached    = "cached"     // it was in the cache
	CodeCompiled  = "compiled"   // by Options.Compile, into the cache
	CodeInProcess = "in process" // there is no cache
)

// Costs say how long the parts of a load took.
type Costs struct {
	Rewrite     time.Duration // to meter loops
	Compile     time.Duration // to make the machine code or find it, and read it
	Instantiate time.Duration // to make the first instance, its own check included
	Code        string        // CodeCached, CodeCompiled or CodeInProcess
}

// unmade is why there is no machine code although the module may be good.
type unmade struct{ error }

func (u unmade) Unwrap() error { return u.error }

// Again says whether what Load has refused may load later as it is: not the module failed, but the cache or the compiler's
// process, for want of disk, memory or files. The compiler does not always tell one from the other.
func Again(err error) bool {
	var u unmade
	return errors.As(err, &u)
}

// translate gives the image its machine code, and keeps what it is woken from: metered, of which code was made.
func (img *image) translate(ctx context.Context, e *Engine, metered, code []byte) (err error) {
	start := time.Now()
	defer func() { img.costs.Compile = time.Since(start) }()
	key := codecache.KeyOf(code)
	if e.store != nil {
		if img.source, err = e.store.Keep(metered, key); err != nil {
			return unmade{err}
		}
	}
	img.compiled, img.costs.Code, err = e.machineCode(ctx, key, code)
	if err != nil {
		return errors.Join(err, img.free(e))
	}
	return nil
}

// unload gives the machine code back.
func (img *image) unload(e *Engine) error {
	if img.compiled == nil {
		return nil
	}
	defer e.tidy()
	err := img.compiled.Close(context.Background())
	img.compiled = nil
	return err
}

// free gives everything back.
func (img *image) free(e *Engine) error {
	err := img.unload(e)
	if img.source != nil {
		err = errors.Join(err, img.source.Close())
		img.source = nil
	}
	return err
}

// machineCode compiles rewritten bytes, or finds in the cache what came of them before. What the cache holds is checked
// first; what cannot be read all the same is made anew, once.
func (e *Engine) machineCode(ctx context.Context, key codecache.Key, wasm []byte) (wazero.CompiledModule, string, error) {
	unlock := e.code.lock(key)
	defer unlock()
	if e.store == nil {
		e.code.compiling.Lock()
		defer e.code.compiling.Unlock()
		// Two workers halve the wait for a new module; more would leave no core to the traffic of a small machine.
		compiled, err := e.runtime.CompileModule(experimental.WithCompilationWorkers(ctx, 2), wasm)
		return compiled, CodeInProcess, cannotCompile(err)
	}
	how, err := e.fill(ctx, key, wasm)
	if err != nil {
		return nil, how, cannotCompile(err)
	}
	compiled, err := e.read(ctx, wasm)
	if err != nil {
		e.store.Forget(key)
		if how, err = e.fill(ctx, key, wasm); err == nil {
			compiled, err = e.read(ctx, wasm)
		}
	}
	return compiled, how, cannotCompile(err)
}

func cannotCompile(err error) error {
	if err != nil {
		err = fmt.Errorf("cannot compile: %w", err)
	}
	return err
}

// fill has the cache hold the code of key.
func (e *Engine) fill(ctx context.Context, key codecache.Key, wasm []byte) (string, error) {
	if e.store.Find(key) {
		return CodeCached, nil
	}
	e.code.compiling.Lock()
	defer e.code.compiling.Unlock()
	if err := e.store.Fill(ctx, wasm, e.opts.Compile); err != nil {
		return CodeCompiled, unmade{err}
	}
	e.store.Trim()
	return CodeCompiled, nil
}

// read has the runtime take the code from the cache. It decodes and validates the module again, on one core.
func (e *Engine) read(ctx context.Context, wasm []byte) (wazero.CompiledModule, error) {
	e.code.reading <- struct{}{}
	defer func() { <-e.code.reading }()
	return e.runtime.CompileModule(ctx, wasm)
}

// codeLocks order who makes and reads machine code.
type codeLocks struct {
	// compiling lets one module compile at a time: it takes a core for seconds.
	compiling sync.Mutex
	// reading bounds how many are read at once: each takes a core for some 50 ms.
	reading chan struct{}

	mu   sync.Mutex
	keys map[codecache.Key]*keyLock // being made or read: wazero does not expect one module twice at a time
}

type keyLock struct {
	sync.Mutex
	waiting int
}

func newCodeLocks() codeLocks {
	return codeLocks{reading: make(chan struct{}, runtime.GOMAXPROCS(0)), keys: map[codecache.Key]*keyLock{}}
}

// lock waits until nobody else makes or reads the code of key, and returns how to let the next one.
func (c *codeLocks) lock(key codecache.Key) (unlock func()) {
	c.mu.Lock()
	k := c.keys[key]
	if k == nil {
		k = new(keyLock)
		c.keys[key] = k
	}
	k.waiting++
	c.mu.Unlock()
	k.Lock()
	return func() {
		k.Unlock()
		c.mu.Lock()
		defer c.mu.Unlock()
		if k.waiting--; k.waiting == 0 {
			delete(c.keys, key)
		}
	}
}
