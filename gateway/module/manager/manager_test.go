package manager

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/moduletest/guests"
	"github.com/posternhq/postern/gateway/module/service"
)

// Short names for what the tests share with the runtime's.
var (
	saying     = guests.Saying
	serving    = guests.Serving
	ask        = guests.Ask
	eventually = guests.Eventually
)

// cacheFolder keeps compiled guests between tests.
var cacheFolder string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "postern-guests")
	if err != nil {
		panic(err)
	}
	cacheFolder = dir
	date := goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1") // once for the process
	goleak.VerifyTestMain(m, date, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// engine starts a runtime for a test.
func engine(t testing.TB) *module.Engine {
	t.Helper()
	e, err := module.NewEngine(context.Background(), module.Options{Log: zerolog.Nop(), CacheDir: cacheFolder})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func plain(string) module.Policy { return module.Policy{Limits: module.DefaultLimits()} }

// folder is a manager of a temporary folder, looked at when the test says so.
type folder struct {
	*Manager
	t   testing.TB
	dir string
	ctx context.Context // of its operations; see context
}

func newFolder(t testing.TB, policy func(string) module.Policy) *folder {
	f := &folder{t: t, dir: t.TempDir()}
	f.Manager = New(engine(t), Options{Dir: f.dir, Interval: 20 * time.Millisecond, Policy: policy, Log: zerolog.Nop()})
	t.Cleanup(func() { f.close() })
	return f
}

// put writes a file beside and renames it over, as one should.
func (f *folder) put(name string, content []byte) {
	f.t.Helper()
	tmp := filepath.Join(f.dir, ".tmp-"+name)
	if err := os.WriteFile(tmp, content, 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(f.dir, name)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) look() { f.scan(context.Background()) }

// answer is what a group and version answer now; "" when nobody does.
func (f *folder) answer(group, version string) string {
	f.t.Helper()
	m := f.Table().Find(group, version)
	if m == nil {
		return ""
	}
	_, body := ask(f.t, "/kapis/"+group+"/"+version+"/x", func(x *exchange.Exchange) { m.Serve(x) })
	return body
}

// serving is the generation that answers a group and version; nil when none does.
func (f *folder) serving(group, version string) *module.Generation {
	if m := f.Table().Find(group, version); m != nil {
		return m.Generation()
	}
	return nil
}

// want checks answers, given as "group/version" and text in turn.
func (f *folder) want(answers ...string) {
	f.t.Helper()
	for i := 0; i < len(answers); i += 2 {
		group, version, _ := strings.Cut(answers[i], "/")
		if got := f.answer(group, version); got != answers[i+1] {
			f.t.Errorf("%s answers %q, want %q; %+v", answers[i], got, answers[i+1], f.Status())
		}
	}
}

// failing is the error of a file; "" when it serves.
func (f *folder) failing(name string) string {
	for _, s := range f.Status() {
		if s.File == name {
			return s.Error
		}
	}
	return "no such file"
}

func TestFilesComeChangeAndGo(t *testing.T) {
	f := newFolder(t, plain)
	f.look()
	f.want("a.io/v1", "")
	f.put("a.wasm", saying(t, "one", serving("a", "a.io/v1")))
	f.put("notes.txt", []byte("not a module"))
	f.look()
	f.want("a.io/v1", "one", "a.io/v2", "", "a.io/", "")
	f.put("a.wasm", saying(t, "two", serving("a", "a.io/v1")))
	f.look()
	f.want("a.io/v1", "two")
	same := f.serving("a.io", "v1")
	f.look()
	if err := os.Chtimes(filepath.Join(f.dir, "a.wasm"), time.Now(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	f.look() // touched, not changed
	if f.serving("a.io", "v1") != same {
		t.Error("a file that was only touched was loaded again")
	}
	if err := os.Remove(filepath.Join(f.dir, "a.wasm")); err != nil {
		t.Fatal(err)
	}
	f.look()
	f.want("a.io/v1", "")
	if s := f.Status(); len(s) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestBadFilesLeaveTheOldServing(t *testing.T) {
	f := newFolder(t, plain)
	good := saying(t, "one", serving("a", "a.io/v1"))
	f.put("a.wasm", good)
	f.look()
	for name, content := range map[string][]byte{
		"half written": good[:len(good)/2], "no manifest": []byte("\x00asm\x01\x00\x00\x00"), "empty": {}, "no module": []byte("hello"),
	} {
		f.put("a.wasm", content)
		f.look()
		f.want("a.io/v1", "one")
		if f.failing("a.wasm") == "" {
			t.Errorf("%s: no error", name)
		}
	}
	f.put("a.wasm", good)
	f.look()
	f.want("a.io/v1", "one")
	if err := f.failing("a.wasm"); err != "" {
		t.Errorf("the good file again: %s", err)
	}
	large := filepath.Join(f.dir, "a.wasm") // a file that cannot be read, also by root
	if err := os.Truncate(large, module.MaxSize+1); err != nil {
		t.Fatal(err)
	}
	f.look()
	f.want("a.io/v1", "one")
	if err := f.failing("a.wasm"); !strings.Contains(err, "bytes") {
		t.Errorf("too large: %q", err)
	}
}

func TestGroupsAreServedOnce(t *testing.T) {
	f := newFolder(t, plain)
	f.put("a.wasm", saying(t, "first", serving("a", "a.io/v1")))
	f.put("b.wasm", saying(t, "second", serving("b", "a.io/v1", "b.io/v1")))
	f.look()
	f.want("a.io/v1", "first", "b.io/v1", "")
	if err := f.failing("b.wasm"); !strings.Contains(err, "a.io/v1 is already answered by a.wasm") {
		t.Errorf("got %q", err)
	}
	// Another file of a, which leaves the group to b.
	f.put("a.wasm", saying(t, "elsewhere", serving("a", "a.io/v2")))
	f.look()
	f.look() // asked for by the first look, see retryRefused
	f.want("a.io/v1", "second", "a.io/v2", "elsewhere", "b.io/v1", "second")
	if err := os.Remove(filepath.Join(f.dir, "b.wasm")); err != nil {
		t.Fatal(err)
	}
	f.look()
	f.want("a.io/v1", "", "a.io/v2", "elsewhere")
}

func TestVersionsSideBySide(t *testing.T) {
	f := newFolder(t, plain)
	f.put("a1.wasm", saying(t, "v1", serving("a", "a.io/v1")))
	f.put("a2.wasm", saying(t, "v2", serving("a", "a.io/v2")))
	f.put("all.wasm", saying(t, "any", serving("all", "a.io")))
	f.look()
	f.want("a.io/v1", "v1", "a.io/v2", "v2", "a.io/v3", "any", "a.io/", "any")
	if routes := fmt.Sprint(f.Table().Routes()); routes != "[a.io/ a.io/v1 a.io/v2]" {
		t.Errorf("routes %s", routes)
	}
}

// TestMovedFileHasNoGap renames a module's file. Whoever holds the table in between must find the group served.
func TestMovedFileHasNoGap(t *testing.T) {
	f := newFolder(t, plain)
	f.put("a.wasm", saying(t, "one", serving("a", "a.io/v1")))
	f.look()
	stop, asked := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { asked <- n }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			if f.Table().Find("a.io", "v1") == nil {
				t.Error("nobody serves the group")
				return
			}
			n++
		}
	}()
	names := []string{"a.wasm", "b.wasm"}
	for n := range 50 {
		from, to := names[n%2], names[(n+1)%2]
		if err := os.Rename(filepath.Join(f.dir, from), filepath.Join(f.dir, to)); err != nil {
			t.Fatal(err)
		}
		f.look()
	}
	close(stop)
	if n := <-asked; n == 0 {
		t.Error("nobody looked")
	}
	f.want("a.io/v1", "one")
}

// TestGrants changes what the configuration grants.
func TestGrants(t *testing.T) {
	none, all := plain, func(string) module.Policy {
		return module.Policy{Limits: module.DefaultLimits(), Grants: service.Grants{Prometheus: true}}
	}
	f := newFolder(t, none)
	f.put("a.wasm", saying(t, "one", serving("a", "a.io/v1")+"wants: {prometheus: true}\n"))
	f.look()
	f.want("a.io/v1", "")
	if err := f.failing("a.wasm"); !strings.Contains(err, "not granted: prometheus") {
		t.Errorf("got %q", err)
	}
	f.SetPolicy(all)
	f.look()
	f.want("a.io/v1", "one")
	g := f.serving("a.io", "v1")
	f.SetPolicy(func(string) module.Policy { return all("") }) // the same
	f.look()
	if f.serving("a.io", "v1") != g {
		t.Error("loaded anew for the same policy")
	}
	// Taken back: the module cannot load under the new policy and serves on, but what it may do is less at once.
	f.SetPolicy(none)
	f.look()
	f.want("a.io/v1", "one")
	if f.failing("a.wasm") == "" || g.Grants().Prometheus {
		t.Errorf("%q, grants %+v", f.failing("a.wasm"), g.Grants())
	}
	tries := f.slots["a.wasm"].loaded
	f.look()
	f.look()
	if f.slots["a.wasm"].loaded != tries {
		t.Error("a refused module is tried again at every look")
	}
	f.SetPolicy(func(string) module.Policy {
		p := all("")
		p.Limits.RequestsInFlight = 7
		return p
	})
	f.look()
	if now := f.serving("a.io", "v1"); now == g || now.Policy().Limits.RequestsInFlight != 7 || f.failing("a.wasm") != "" {
		t.Errorf("other limits: %q", f.failing("a.wasm"))
	}
}

// TestRun has the manager itself see what changes: a folder that comes later, one as the kubelet makes it of a ConfigMap,
// and its end.
func TestRun(t *testing.T) {
	f := newFolder(t, plain)
	f.opts.Dir = filepath.Join(f.dir, "later")
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := f.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	<-f.Ready()
	inside := func(name string) string { return filepath.Join(f.dir, "later", name) }
	version := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(inside(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(inside(name+"/a.wasm"), saying(t, text, serving("a", "a.io/v1")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, inside(name)); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", "one")
	link("..1", "..data")
	link("..data/a.wasm", "a.wasm")
	eventually(t, "the first version serves", func() bool { return f.answer("a.io", "v1") == "one" })
	version("..2", "two")
	link("..2", "..data_tmp")
	if err := os.Rename(inside("..data_tmp"), inside("..data")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second version serves", func() bool { return f.answer("a.io", "v1") == "two" })
	if err := os.RemoveAll(inside("")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing serves", func() bool { return f.answer("a.io", "v1") == "" })
	version("..3", "three")
	link("..3/a.wasm", "a.wasm")
	eventually(t, "the folder is back", func() bool { return f.answer("a.io", "v1") == "three" })
	cancel()
	running.Wait()
	if len(f.Table().Routes()) != 0 || len(f.Status()) != 0 {
		t.Error("something serves after the end")
	}
}
