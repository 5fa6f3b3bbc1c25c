// Package inspect says what is in a module's file, and what it will cost, without running it.
package inspect

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/fuel"
	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/signature"
	"github.com/posternhq/postern/gateway/module/snapshot"
	"github.com/posternhq/postern/hostabi"
)

// Report is what a file holds. Its JSON keys are a contract.
type Report struct {
	Manifest   *manifest.Manifest `json:"manifest"`
	Digest     string             `json:"digest"`     // sha256 of the file in hex, as the admin API has it
	Kind       string             `json:"kind"`       // asynchronous or synchronous
	Signatures []string           `json:"signatures"` // ids of the keys; nothing is verified
	Size       Size               `json:"size"`
	Memory     Memory             `json:"memory"`
	// Copies says whether further instances are copies of the first: "yes", or why not.
	Copies  string     `json:"copies"`
	Compile Compile    `json:"compile"`
	Imports []Function `json:"imports"`
	Exports []Function `json:"exports"`
}

// Size is bytes, of the file and of its parts.
type Size struct {
	File   int `json:"file"`
	Code   int `json:"code"`
	Data   int `json:"data"`
	Custom int `json:"custom"` // manifest, names, signatures
}

// Memory is an instance's linear memory, bytes.
type Memory struct {
	Start int64 `json:"start"`
	Most  int64 `json:"most"` // that it may ask for; the module's limit may be lower
}

// Compile is what making machine code cost on this machine.
type Compile struct {
	Seconds     float64 `json:"seconds"`     // metering included
	MachineCode int64   `json:"machineCode"` // bytes, as the cache keeps them
}

// Function is an import or an export.
type Function struct {
	Module    string `json:"module,omitempty"` // of an import
	Name      string `json:"name"`
	Signature string `json:"signature"` // (i32 i32) -> i32
}

// page is WebAssembly's unit of memory, bytes.
const page = 65536

// Of reads a module and compiles it as the gateway does, on one core, into a folder that is gone afterwards. It is neither
// instantiated nor run.
func Of(ctx context.Context, wasm []byte) (*Report, error) {
	about, code, err := manifest.Split(wasm)
	if err != nil {
		return nil, err
	}
	r := &Report{Manifest: about, Digest: module.Digest(wasm), Size: sizes(wasm), Kind: "synchronous", Copies: "yes"}
	if r.Signatures, err = signature.KeyIDs(wasm); err != nil {
		return nil, fmt.Errorf("cannot read its signatures: %w", err)
	}
	start := time.Now()
	metered, err := fuel.Rewrite(signature.Unsigned(code), fuel.Options{Module: hostabi.ModuleFuel, Name: "spend"})
	if err != nil {
		return nil, err
	}
	prepared, _, err := snapshot.Prepare(metered)
	if err != nil {
		prepared, r.Copies = metered, "no: "+strings.TrimPrefix(err.Error(), snapshot.ErrPlain.Error()+": ")
	}
	return r, r.compile(ctx, prepared, start)
}

// compile makes machine code, which is written down and measured, and describes what the module imports and exports.
func (r *Report) compile(ctx context.Context, wasm []byte, start time.Time) error {
	dir, err := os.MkdirTemp("", "postern-inspect-*")
	if err != nil {
		return fmt.Errorf("cannot make a folder to compile in: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return fmt.Errorf("cannot compile: %w", err)
	}
	defer func() { _ = cache.Close(ctx) }()
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCompilationCache(cache))
	defer func() { _ = runtime.Close(ctx) }()
	compiled, err := runtime.CompileModule(ctx, wasm)
	if err != nil {
		return fmt.Errorf("cannot compile: %w", err)
	}
	r.Compile = Compile{Seconds: time.Since(start).Seconds(), MachineCode: folder(dir)}
	if memory, ok := compiled.ExportedMemories()["memory"]; ok {
		most, _ := memory.Max()
		r.Memory = Memory{Start: int64(memory.Min()) * page, Most: int64(most) * page}
	}
	r.functions(compiled)
	return nil
}

// functions lists imports and exports; those that metering and copying add are left out.
func (r *Report) functions(compiled wazero.CompiledModule) {
	r.Imports, r.Exports = []Function{}, []Function{}
	for _, f := range compiled.ImportedFunctions() {
		if module, name, _ := f.Import(); module != hostabi.ModuleFuel {
			r.Imports = append(r.Imports, Function{module, name, signatureOf(f)})
		}
	}
	exports := compiled.ExportedFunctions()
	for _, name := range slices.Sorted(maps.Keys(exports)) {
		r.Exports = append(r.Exports, Function{Name: name, Signature: signatureOf(exports[name])})
	}
	has := func(name string) bool { _, ok := exports[name]; return ok }
	if has(hostabi.ExportStart) && has(hostabi.ExportRun) && has(hostabi.ExportCancel) {
		r.Kind = "asynchronous"
	}
}

// folder is how many bytes are in the files of a folder.
func folder(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			if info, err := e.Info(); err == nil {
				size += info.Size()
			}
		}
		return nil
	})
	return size
}

func signatureOf(f api.FunctionDefinition) string {
	return types(f.ParamTypes()) + " -> " + types(f.ResultTypes())
}

func types(all []api.ValueType) string {
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = api.ValueTypeName(t)
	}
	return "(" + strings.Join(names, " ") + ")"
}
