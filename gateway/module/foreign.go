package module

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/posternhq/postern/gateway/module/fuel"
	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/hostabi"
)

// Import is a function of an import module of another ABI than hostabi's, for guests that Compile takes.
type Import struct {
	Params, Results []api.ValueType
	// Call gets the arguments at the beginning of stack and puts its result there. self is what the process was made with,
	// memory the guest's. A panic ends the process; its error is wrapped by what Process.Call returns.
	Call func(self any, memory api.Memory, stack []uint64)
}

// Offer makes an import module known to guests that are compiled after it. A second call for a name does nothing.
func (e *Engine) Offer(ctx context.Context, name string, functions map[string]Import) error {
	e.offering.Lock()
	defer e.offering.Unlock()
	if e.runtime.Module(name) != nil {
		return nil
	}
	builder := e.runtime.NewHostModuleBuilder(name)
	for export, f := range functions {
		call := f.Call
		builder.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, mod api.Module, stack []uint64) {
			call(ctx.Value(processKey{}).(*Process).self, mod.Memory(), stack)
		}), f.Params, f.Results).Export(export)
	}
	if _, err := builder.Instantiate(ctx); err != nil {
		return fmt.Errorf("cannot link host functions %s: %w", name, err)
	}
	return nil
}

// Foreign is a compiled guest of another ABI. It has the engine's metering and limits: Memory, CPUPerCall and
// LogLinesPerSecond of its Limits.
type Foreign struct {
	gen *Generation // of which only what an instance needs is set
}

// Compile makes a Foreign of a guest that imports WASI and the module offered as abi, and nothing else, and exports its
// memory. name is for logs and errors. Nothing of the guest has run when it returns.
func (e *Engine) Compile(ctx context.Context, name, abi string, functions map[string]Import, wasm []byte, limits Limits) (*Foreign, error) {
	metered, err := fuel.Rewrite(wasm, fuel.Options{Module: hostabi.ModuleFuel, Name: "spend"})
	if err != nil {
		return nil, err
	}
	img := &image{about: &manifest.Manifest{Name: name}, digest: Digest(wasm)}
	if err := img.translate(ctx, e, metered, metered); err != nil {
		return nil, err
	}
	policy := Policy{Limits: limits}
	if err := errors.Join(img.offered(abi, functions), img.checkMemory(limits.Memory)); err != nil {
		return nil, errors.Join(err, img.free(e))
	}
	p := &Foreign{gen: &Generation{engine: e, image: img, policy: policy}}
	p.gen.settle()
	p.gen.breaker.limits = BreakerLimits{} // who calls the process decides what its failures mean
	p.gen.log = p.gen.newLog()
	return p, nil
}

// offered says which import is neither WASI's, nor of abi.
func (img *image) offered(abi string, functions map[string]Import) error {
	for _, f := range img.compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		if module == wasi_snapshot_preview1.ModuleName || module == hostabi.ModuleFuel {
			continue // WASI's are checked by instantiating; the counter's is the engine's own
		}
		want, ok := functions[name]
		if module != abi || !ok {
			return fmt.Errorf("imports %s.%s, which %s does not have", module, name, abi)
		}
		if !slices.Equal(f.ParamTypes(), want.Params) || !slices.Equal(f.ResultTypes(), want.Results) {
			return fmt.Errorf("imports %s.%s with another signature than %s has", module, name, abi)
		}
	}
	return nil
}

// Exports are the functions that the guest exports, by name.
func (p *Foreign) Exports() map[string]api.FunctionDefinition {
	return p.gen.image.compiled.ExportedFunctions()
}

// Digest is the sha256 of the guest's file, in hex.
func (p *Foreign) Digest() string { return p.gen.image.digest }

// Stats count what the guest did and holds.
func (p *Foreign) Stats() *Stats { return &p.gen.Stats }

// Log writes a line of the guest's, or counts it as dropped when there are too many.
func (p *Foreign) Log(level hostabi.Level, text []byte) { p.gen.log.line(level, text, "") }

// Failed logs the end of a process. It is rated like the guest's own lines.
func (p *Foreign) Failed(err error) {
	p.gen.trapped(kindOf(err, TrapOther), err)
	p.gen.log.trap(err, 1, "")
}

// Close frees the machine code; every process must have been closed before.
func (p *Foreign) Close() error {
	if err := p.gen.image.free(p.gen.engine); err != nil {
		return fmt.Errorf("cannot free the compiled guest: %w", err)
	}
	return nil
}

// Process is an instance of a Foreign. One goroutine at a time may call it.
type Process struct {
	self any
	i    *instance
}

type processKey struct{}

// Start instantiates the guest and runs its _initialize or _start, for at most so much CPU. self is what the imports get.
func (p *Foreign) Start(self any, cpu time.Duration) (*Process, error) {
	process := &Process{self: self, i: &instance{gen: p.gen}}
	i := process.i
	i.ctx = context.WithValue(context.WithValue(context.Background(), instanceKey{}, i), processKey{}, process)
	i.meter.begin(p.gen.limits.CPUPerCall)
	mod, _, err := p.gen.instantiate(i.ctx, nil, hostabi.ExportInitialize, "_start") // a TinyGo guest's _start returns
	p.gen.Stats.GuestTime.Add(int64(i.meter.end()))
	if err != nil {
		return nil, err
	}
	i.mod = mod
	return process, nil
}

// Function finds an export; nil if there is none.
func (p *Process) Function(name string) api.Function { return p.i.mod.ExportedFunction(name) }

// Call enters the guest, within its limit of CPU. Any error is the end of the process: only Close may be called then.
func (p *Process) Call(f api.Function, stack []uint64) error { return p.i.enter(f, stack) }

// Memory is how many bytes of memory the process has.
func (p *Process) Memory() uint32 { return p.i.mod.Memory().Size() }

// Close ends the process and frees its memory.
func (p *Process) Close() { p.i.free() }

// OverBudget says whether err, of Call or Start, means that the guest took more CPU than its limit.
func OverBudget(err error) bool { return errors.Is(err, errBudget) }
