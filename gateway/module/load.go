package module

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/posternhq/postern/gateway/module/codecache"
	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// MaxSize bounds a module's file, bytes: ten times a rich Go guest.
const MaxSize = 64 << 20

// pageSize is the unit of linear memory, bytes.
const pageSize = 65536

// image is a module ready to be instantiated.
type image struct {
	about    *manifest.Manifest
	digest   string                // sha256 of the file, hex
	compiled wazero.CompiledModule // nil while the generation sleeps
	source   *codecache.Source     // to wake from; nil without a cache
	copies   *copies
	async    bool
	costs    Costs
}

// compile turns a module's bytes into an image: read the manifest, rewrite the code, check imports and grants, make
// machine code. Nothing of the guest has run when it returns.
func (e *Engine) compile(ctx context.Context, wasm []byte, policy func(name string) Policy) (*image, error) {
	about, code, err := open(wasm, policy)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	interruptible, err := metered(ctx, code)
	if err != nil {
		return nil, fmt.Errorf("module %q: %w", about.Name, err)
	}
	if err := checkGrants(about, interruptible, policy(about.Name)); err != nil {
		return nil, fmt.Errorf("module %q: %w", about.Name, err)
	}
	img := &image{about: about, digest: Digest(wasm), copies: new(copies)}
	code = img.prepare(ctx, interruptible)
	img.costs.Rewrite = time.Since(start)
	if err := img.translate(ctx, e, interruptible, code); err != nil {
		return nil, fmt.Errorf("module %q: %w", about.Name, err)
	}
	if err := img.check(policy(about.Name)); err != nil {
		return nil, errors.Join(fmt.Errorf("module %q: %w", about.Name, err), img.free(e))
	}
	return img, nil
}

// checkGrants says why a module may not run under policy, as far as it can be told before it is compiled, which takes
// seconds.
func checkGrants(about *manifest.Manifest, wasm []byte, policy Policy) error {
	if err := about.ABI.Runs(manifest.HostABI); err != nil {
		return err
	}
	imports, err := imported(wasm)
	if err != nil {
		return fmt.Errorf("cannot read its imports: %w", err)
	}
	if err := errors.Join(append(missingGrants(about, policy), unlinked(imports, policy.Grants)...)...); err != nil {
		return err
	}
	return about.Settings.Check(policy.Settings)
}

// check says why the image may not run under policy.
func (img *image) check(policy Policy) error {
	if err := checkImports(img.compiled); err != nil {
		return err
	}
	if err := img.checkExports(); err != nil {
		return err
	}
	limits, _ := policy.settle(&img.about.Limits)
	return img.checkMemory(limits.Memory)
}

// checkMemory says why the guest cannot have its memory within limit, bytes.
func (img *image) checkMemory(limit int64) error {
	memory, ok := img.compiled.ExportedMemories()["memory"]
	if !ok {
		return errors.New(`does not export its memory as "memory"`)
	}
	if least := int64(memory.Min()) * pageSize; least > limit {
		return fmt.Errorf("needs %d bytes of memory to start, more than its limit of %d", least, limit)
	}
	return nil
}

// missingGrants lists what the module wants and the configuration does not grant.
func missingGrants(about *manifest.Manifest, policy Policy) (missing []error) {
	want, have := about.Wants, policy.Grants
	for _, w := range want.Kube {
		if !have.CoversKube(w.Groups, w.Resources, w.Verbs) {
			missing = append(missing, fmt.Errorf("not granted: kube %s of %s in groups %q",
				strings.Join(w.Verbs, ", "), strings.Join(w.Resources, ", "), w.Groups))
		}
	}
	if want.Prometheus && !have.Prometheus {
		missing = append(missing, errors.New("not granted: prometheus"))
	}
	if want.Access && !have.Access {
		missing = append(missing, errors.New("not granted: access"))
	}
	if want.Accounts && !have.Accounts {
		missing = append(missing, errors.New("not granted: accounts"))
	}
	for _, backend := range want.HTTP {
		if !slices.Contains(have.HTTP, backend) {
			missing = append(missing, fmt.Errorf("not granted: http backend %q", backend))
		}
	}
	for _, host := range want.Hosts {
		if !slices.Contains(have.Hosts, host) {
			missing = append(missing, fmt.Errorf("not granted: host %q", host))
		}
	}
	return missing
}

// unlinked lists the imports of capabilities that the configuration does not grant.
func unlinked(imports [][2]string, have service.Grants) (missing []error) {
	linked := map[string]bool{
		hostabi.ModuleKube: len(have.Kube) > 0, hostabi.ModulePrometheus: have.Prometheus,
		hostabi.ModuleHTTP: len(have.HTTP)+len(have.Hosts) > 0, hostabi.ModuleAccess: have.Access, hostabi.ModuleAccounts: have.Accounts,
	}
	for _, i := range imports {
		if granted, capability := linked[i[0]]; capability && !granted {
			missing = append(missing, fmt.Errorf("not granted: import %s.%s needs a grant of %s", i[0], i[1], strings.TrimSuffix(i[0], "/v1")))
		}
	}
	return missing
}

// checkImports says which import this host does not have.
func checkImports(compiled wazero.CompiledModule) error {
	for _, f := range compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		if module == wasi_snapshot_preview1.ModuleName {
			continue // checked by instantiating
		}
		functions, ok := hostModules[module]
		if !ok {
			return fmt.Errorf("imports %s, which this gateway does not have: it has %s", module, strings.Join(slices.Sorted(maps.Keys(hostModules)), ", "))
		}
		function, ok := functions[name]
		if !ok {
			return fmt.Errorf("imports %s.%s, which this gateway's ABI %s does not have", module, name, manifest.HostABI[0])
		}
		if !slices.Equal(f.ParamTypes(), function.params) || !slices.Equal(f.ResultTypes(), function.results) {
			return fmt.Errorf("imports %s.%s with another signature than this gateway has", module, name)
		}
	}
	return nil
}

// exportShapes are the signatures of a guest's exports.
var exportShapes = map[string]shape{
	hostabi.ExportStart:  {params: i32s(1)},
	hostabi.ExportRun:    {},
	hostabi.ExportCancel: {params: i32s(1)},
	hostabi.ExportHandle: {params: i32s(1)},
	hostabi.ExportCheck:  {results: i32s(1)},
}

// checkExports finds out whether the guest is asynchronous, and what it lacks.
func (img *image) checkExports() error {
	exports := img.compiled.ExportedFunctions()
	for name, want := range exportShapes {
		f, ok := exports[name]
		if ok && (!slices.Equal(f.ParamTypes(), want.params) || !slices.Equal(f.ResultTypes(), want.results)) {
			return fmt.Errorf("exports %s with another signature than ABI v1 has", name)
		}
	}
	has := func(name string) bool { _, ok := exports[name]; return ok }
	img.async = has(hostabi.ExportStart) && has(hostabi.ExportRun) && has(hostabi.ExportCancel)
	if !img.async && !has(hostabi.ExportHandle) {
		return fmt.Errorf("exports neither %s nor all of %s, %s, %s: it cannot be asked anything",
			hostabi.ExportHandle, hostabi.ExportStart, hostabi.ExportRun, hostabi.ExportCancel)
	}
	return nil
}

// shape is a function's signature.
type shape struct{ params, results []api.ValueType }

// i32s is n parameters of type i32; nil for none, as wazero has it.
func i32s(n int) []api.ValueType {
	return slices.Repeat([]api.ValueType{api.ValueTypeI32}, n)
}

// i64s is n parameters of type i64.
func i64s(n int) []api.ValueType { return slices.Repeat([]api.ValueType{api.ValueTypeI64}, n) }
