package httpwasm

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/httpsyntax"
)

// newMemory is a guest's memory of one page.
func newMemory(t testing.TB) api.Memory {
	t.Helper()
	runtime := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigInterpreter())
	// A module that has a memory, exports it, and nothing else.
	mod, err := runtime.Instantiate(t.Context(), []byte("\x00asm\x01\x00\x00\x00\x05\x03\x01\x00\x01\x07\x0a\x01\x06memory\x02\x00"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = runtime.Close(context.Background()) })
	return mod.Memory()
}

// trapped says whether f ended the guest, as it may. A panic that is no error is one of the host's own.
func trapped(t *testing.T, f func()) (yes bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, runtime := r.(interface{ RuntimeError() }); runtime {
				t.Errorf("the host failed: %v", r)
			}
			yes = true
		}
	}()
	f()
	return false
}

// FuzzHeaders has guests name headers and values of any bytes, anywhere in memory. What the backend and the client are
// sent stays well-formed: lines of tokens and values, no more of them than were set, and no identity.
func FuzzHeaders(f *testing.F) {
	f.Add(uint32(0), "X-A", "value", uint32(0), uint32(0))
	f.Add(uint32(0), "x-a", "a\r\nImpersonate-User: root", uint32(0), uint32(0))
	f.Add(uint32(0), "Impersonate-User", "root", uint32(0), uint32(0))
	f.Add(uint32(0), "cookie", "a=b; c", uint32(0), uint32(0))
	f.Add(uint32(1), "set-cookie", "a=b", uint32(0), uint32(0))
	f.Add(uint32(1), "Content-Length", "-1", uint32(0), uint32(0))
	f.Add(uint32(2), "X-Trailer", "1", uint32(0), uint32(0))
	f.Add(uint32(3), "trailer", "x", uint32(7), uint32(1<<31))
	f.Add(uint32(9), "a: b", "\x00", uint32(0xffffffff), uint32(0xffffffff))
	memory := guestMemory{newMemory(f)}
	f.Fuzz(func(t *testing.T, kind uint32, name, value string, at, size uint32) {
		if len(name)+len(value) > 30<<10 {
			return // more than the test's memory holds
		}
		ctx := new(fasthttp.RequestCtx)
		ctx.Request.Header.Set("X-There", "1")
		ctx.Response.Header.DisableNormalizing()
		x := &exchange.Exchange{HTTP: ctx}
		c := &call{x: x, g: &generation{
			settings: new(settings), ignored: prometheus.NewCounter(prometheus.CounterOpts{Name: "x"}), log: zerolog.Nop(),
		}}
		memory.Write(0, []byte(name))
		memory.Write(32<<10, []byte(value))
		args := []uint64{uint64(kind), 0, uint64(len(name)), 32 << 10, uint64(len(value))}
		trapped(t, func() { setHeaderValue(c, memory, append([]uint64(nil), args...)) })
		trapped(t, func() { addHeaderValue(c, memory, append([]uint64(nil), args...)) })
		trapped(t, func() {
			getHeaderValues(c, memory, []uint64{uint64(kind), 0, uint64(len(name)), uint64(at), uint64(size)})
		})
		trapped(t, func() { getHeaderNames(c, memory, []uint64{uint64(kind), uint64(at), uint64(size)}) })
		trapped(t, func() {
			setHeaderValue(c, memory, []uint64{uint64(kind), uint64(at), uint64(size), uint64(size), uint64(at)})
		})
		checkLines(t, x.HeaderLines())
		checkLines(t, ctx.Response.Header.TrailerHeader())
		trapped(t, func() { removeHeader(c, memory, append([]uint64(nil), args[:3]...)) })
		checkLines(t, x.HeaderLines())
	})
}

// checkLines fails the test unless b is header lines that may go on.
func checkLines(t *testing.T, b []byte) {
	t.Helper()
	for line := range bytes.SplitSeq(bytes.TrimSuffix(b, []byte("\r\n")), []byte("\r\n")) {
		if len(line) == 0 {
			continue
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || !httpsyntax.IsToken(name) || !httpsyntax.IsValue(value) {
			t.Errorf("the line %q is malformed", line)
		}
		if n := strings.ToLower(string(name)); strings.HasPrefix(n, "impersonate-") || strings.HasPrefix(n, "x-remote-") {
			t.Errorf("the line %q says who asks", line)
		}
	}
}

// FuzzLists holds that a list fits the buffer it is given, or leaves it alone.
func FuzzLists(f *testing.F) {
	f.Add("a\x00b", uint32(0), uint32(100))
	f.Add("", uint32(65530), uint32(100))
	f.Add("abc", uint32(1), uint32(3))
	memory := guestMemory{newMemory(f)}
	f.Fuzz(func(t *testing.T, text string, at, limit uint32) {
		values := bytes.Split([]byte(text), []byte{0})
		before, _ := memory.Read(0, memory.Size())
		before = bytes.Clone(before)
		var got uint64
		if trapped(t, func() { got = memory.giveList(values, uint64(at), uint64(limit)) }) {
			return
		}
		size := uint32(len(text) + 1)
		if got != uint64(len(values))<<32|uint64(size) {
			t.Fatalf("got %x for %q", got, values)
		}
		want := before
		if size <= limit {
			copy(want[at:], text+"\x00")
		}
		if after, _ := memory.Read(0, memory.Size()); !bytes.Equal(after, want) {
			t.Errorf("memory differs")
		}
	})
}

// FuzzSettings reads settings of any form: they are refused, or within their bounds.
func FuzzSettings(f *testing.F) {
	f.Add(`{"file":"a.wasm","config":{"a":1},"limits":{"memory":"1MiB"}}`)
	f.Add(`{"file":"a.wasm","config":"x","poolSize":-1}`)
	f.Add(`{"file":"a.wasm","queueWait":"1h"}`)
	f.Add(`{"file":1}`)
	f.Fuzz(func(t *testing.T, raw string) {
		s, err := decode(json.RawMessage(raw))
		if err != nil {
			return
		}
		if s.File == "" || s.PoolSize < 1 || s.Limits.CPUPerCall <= 0 || s.Limits.Memory < 1<<16 {
			t.Errorf("accepted %+v", s)
		}
		s.forGuest()
	})
}
