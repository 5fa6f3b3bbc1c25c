//go:build !wasip1

package guest

import (
	"context"
	"sync"

	"github.com/posternhq/postern/hostabi"
)

// hosts are the hosts of the exchanges being served natively.
var hosts sync.Map // uint32 → hostabi.Native

// current serves functions that name no exchange: log, settings, last_error. Tests in one process share it.
var current struct {
	sync.Mutex
	host hostabi.Native
}

// ServeNative answers one exchange with the handlers of this program, compiled natively. ex is unique among the exchanges
// that run at the same time; ctx ends with the client. It returns when the handler has.
func ServeNative(ctx context.Context, host hostabi.Native, ex uint32) {
	current.Lock()
	current.host = host
	current.Unlock()
	hosts.Store(ex, nativeExchange{host, ctx})
	defer hosts.Delete(ex)
	serve(ex)
}

type nativeExchange struct {
	host hostabi.Native
	ctx  context.Context
}

// CheckNative runs what SelfCheck set.
func CheckNative() error {
	if check == nil {
		return nil
	}
	return check()
}

// invoke calls a host function. Its first argument is the exchange, if it has one.
func invoke(module, function string, args ...any) int64 {
	if ex, ok := args[0].(uint32); ok && function != "log" {
		if x, ok := hosts.Load(ex); ok {
			return x.(nativeExchange).host.Invoke(module, function, args...)
		}
		return -int64(hostabi.Gone)
	}
	current.Lock()
	host := current.host
	current.Unlock()
	if host == nil {
		return -int64(hostabi.Gone)
	}
	return host.Invoke(module, function, args...)
}

func wait(ex, token uint32) hostabi.Completion {
	x, ok := hosts.Load(ex)
	if !ok {
		return hostabi.Completion{Token: token, Code: hostabi.Gone}
	}
	return x.(nativeExchange).host.Wait(token)
}

func begin(ex uint32) context.Context {
	x, _ := hosts.Load(ex)
	return x.(nativeExchange).ctx
}

func finish(uint32) {}

// breathe has nothing to do natively: goroutines have threads.
func breathe(uint32) {}
