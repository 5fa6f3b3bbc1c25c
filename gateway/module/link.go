package module

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// function is one host function: its signature, and what it does with its arguments, which lie on the guest's stack and are
// gone when it returns. Its result, if it has one, is put there.
type function struct {
	shape
	call func(i *instance, args []uint64) int64
}

// hostModules are the import modules of ABI v1 and their functions, by name.
var hostModules = map[string]map[string]function{
	hostabi.ModuleCore: coreFunctions,
	hostabi.ModuleKube: {
		"call":  callFunction(hostabi.ModuleKube, callKube, func(s *Services) service.Service { return s.Kube }),
		"query": callFunction(hostabi.ModuleKube, callQuery, func(s *Services) service.Service { return s.Query }),
	},
	hostabi.ModulePrometheus: {
		"call": callFunction(hostabi.ModulePrometheus, callPrometheus, func(s *Services) service.Service { return s.Prometheus }),
	},
	hostabi.ModuleHTTP: {
		"call":    callFunction(hostabi.ModuleHTTP, callHTTP, func(s *Services) service.Service { return s.HTTP }),
		"forward": f32(3, forwardCall),
	},
	hostabi.ModuleAccess: {
		"call": callFunction(hostabi.ModuleAccess, callAccess, func(s *Services) service.Service { return s.Access }),
	},
	hostabi.ModuleAccounts: {
		"call": callFunction(hostabi.ModuleAccounts, callAccounts, func(s *Services) service.Service { return s.Accounts }),
	},
	hostabi.ModuleFuel: {"spend": {call: spend}},
}

// f32 is a host function of n i32 parameters that returns an i32.
func f32(n int, call func(i *instance, args []uint64) int64) function {
	return function{shape: shape{params: i32s(n), results: i32s(1)}, call: call}
}

// link makes an import module of functions.
func link(ctx context.Context, runtime wazero.Runtime, name string, functions map[string]function) error {
	builder := runtime.NewHostModuleBuilder(name)
	for export, f := range functions {
		builder.NewFunctionBuilder().WithGoModuleFunction(bind(f), f.params, f.results).Export(export)
	}
	if _, err := builder.Instantiate(ctx); err != nil {
		return fmt.Errorf("cannot link host functions %s: %w", name, err)
	}
	return nil
}

// bind adapts f to wazero: the instance comes with the context of the call. The upper halves of i32 arguments hold what
// happened to be in the register, so they are cut off.
func bind(f function) api.GoModuleFunc {
	results := len(f.results) > 0
	return func(ctx context.Context, _ api.Module, stack []uint64) {
		for n, t := range f.params {
			if t == api.ValueTypeI32 {
				stack[n] = uint64(uint32(stack[n]))
			}
		}
		i := ctx.Value(instanceKey{}).(*instance)
		result := f.call(i, stack)
		if results {
			stack[0] = uint64(result)
		}
	}
}

// fail notes why a function failed and is its result.
func (i *instance) fail(code hostabi.Code, why string) int64 {
	i.lastError = why
	return -int64(code)
}

// failed is a function's result for a code; 0 for OK.
func (i *instance) result(code hostabi.Code) int64 {
	if code != hostabi.OK {
		i.lastError = code.String()
	}
	return -int64(code)
}

// bytes are a range of the guest's memory, valid until the guest runs again. ok is false when it is not all inside.
func (i *instance) bytes(ptr, size uint64) (b []byte, ok bool) {
	memory := i.mod.Memory()
	if memory == nil {
		return nil, false
	}
	return memory.Read(uint32(ptr), uint32(size))
}

// str is a copy of a range of the guest's memory.
func (i *instance) str(ptr, size uint64) (string, bool) {
	b, ok := i.bytes(ptr, size)
	return string(b), ok
}

// give writes value into a buffer of the guest if it fits, and is its length.
func (i *instance) give(value string, buf, size uint64) int64 {
	if uint64(len(value)) > uint64(uint32(size)) {
		return int64(len(value))
	}
	b, ok := i.bytes(buf, uint64(len(value)))
	if !ok {
		return i.fail(hostabi.BadArgument, "buffer is not within memory")
	}
	return int64(copy(b, value))
}

// badPointer is the result of a function that was given a range outside memory.
func (i *instance) badPointer() int64 {
	return i.fail(hostabi.BadArgument, "pointer and length are not within memory")
}
