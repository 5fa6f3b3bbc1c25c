package guests

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/source"
	"github.com/posternhq/postern/hostabi"
)

// built are the guests compiled from Go packages, by folder: each once a process.
var built struct {
	sync.Mutex
	of map[string][]byte
}

// Build compiles a Go package to a guest with its module.yaml packed.
func Build(t testing.TB, dir string) []byte {
	t.Helper()
	path, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	built.Lock()
	defer built.Unlock()
	if b := built.of[path]; b != nil {
		return b
	}
	packed, err := source.Build(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	if built.of == nil {
		built.of = map[string][]byte{}
	}
	built.of[path] = packed
	return packed
}

// Saying is a guest that answers with text, at most 127 bytes; about is its manifest, empty: a plain one.
func Saying(t testing.TB, text, about string) []byte {
	t.Helper()
	return Assembly{
		Imports: [][2]string{{hostabi.ModuleCore, "response_write"}}, Types: []byte{2},
		Code:  Code([]byte{OpLocalGet, 0}, I32(0), I32(int32(len(text))), []byte{OpCall, 0, OpDrop}),
		Data:  append(append(Code([]byte{1, 0}, I32(0), []byte{OpEnd}), byte(len(text))), text...),
		About: about,
	}.Bytes(t)
}

// Trapping is a guest whose every request ends in a trap.
func Trapping(t testing.TB, about string) []byte {
	t.Helper()
	return Assembly{Code: []byte{OpUnreachable}, About: about}.Bytes(t)
}

// Serving is the manifest of a module that serves routes, as "group/version"; without a version, all.
func Serving(name string, routes ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "name: %s\nversion: \"1\"\nserves:\n", name)
	for _, r := range routes {
		group, version, _ := strings.Cut(r, "/")
		fmt.Fprintf(&b, "- {group: %s, versions: [%s]}\n", group, version)
	}
	return b.String()
}

// Ask sends one request of user alice to serve and is its status and body.
func Ask(t testing.TB, uri string, serve exchange.Handler) (int, string) {
	t.Helper()
	ctx := Run(nil, uri, serve)
	return ctx.Response.StatusCode(), string(ctx.Response.Body())
}

// Run is Ask for a client that may leave: peer is its connection, nil for none.
func Run(peer *exchange.Peer, uri string, serve exchange.Handler) *fasthttp.RequestCtx {
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.SetRequestURI(uri)
	exchange.Run(ctx, peer, time.Now(), func(x *exchange.Exchange) {
		x.ID = "test"
		x.User = &exchange.User{Name: "alice", Groups: []string{"dev", "system:authenticated"}}
		x.Info.Path, x.Info.APIPrefix, x.Info.APIGroup, x.Info.APIVersion = string(ctx.Path()), "kapis", "test.postern.io", "v1"
		serve(x)
	})
	return ctx
}

// Eventually waits until what is true, at most 10 s.
func Eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

// Slow is Saying for a guest that counts to so many after its answer, which it delays: a million takes a millisecond or more.
func Slow(t testing.TB, text, about string, count int32) []byte {
	t.Helper()
	return Assembly{
		Imports: [][2]string{{hostabi.ModuleCore, "response_write"}}, Types: []byte{2},
		Code: Code([]byte{OpLocalGet, 0}, I32(0), I32(int32(len(text))), []byte{OpCall, 0, OpDrop},
			I32(count), []byte{OpLocalSet, 0, OpLoop, NoBlockType, OpLocalGet, 0}, I32(1), []byte{OpI32Sub, OpLocalTee, 0, OpBrIf, 0, OpEnd}),
		Data:  append(append(Code([]byte{1, 0}, I32(0), []byte{OpEnd}), byte(len(text))), text...),
		About: about,
	}.Bytes(t)
}
