package manager

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/service"
)

// wanting is a module that a source wants; outcomes are what it was told, the last one last.
func wanting(name string, wasm []byte) (w Wanted, outcomes *[]Outcome) {
	outcomes = new([]Outcome)
	return Wanted{
		Name: name, Digest: module.Digest(wasm),
		Read:   func(context.Context) ([]byte, error) { return wasm, nil },
		Report: func(o Outcome) { *outcomes = append(*outcomes, o) },
	}, outcomes
}

func last(t *testing.T, outcomes *[]Outcome) Outcome {
	t.Helper()
	if len(*outcomes) == 0 {
		t.Fatal("nothing was told")
	}
	return (*outcomes)[len(*outcomes)-1]
}

func (f *folder) set(wanted ...Wanted) {
	f.t.Helper()
	if err := f.Set("resources", wanted); err != nil {
		f.t.Fatal(err)
	}
	f.look()
}

func TestSourceComesChangesAndGoes(t *testing.T) {
	f := newFolder(t, plain)
	one, two := saying(t, "one", serving("a", "a.io/v1")), saying(t, "two", serving("a", "a.io/v1"))
	w, told := wanting("a", one)
	f.set(w)
	f.want("a.io/v1", "one")
	if o := last(t, told); o.State != Serving || o.Digest != module.Digest(one) || o.Err != nil || o.Version != "1" || len(o.Routes) != 1 {
		t.Errorf("%+v", o)
	}
	f.look()
	if len(*told) != 1 {
		t.Errorf("told %d times of one outcome", len(*told))
	}
	w, told = wanting("a", two)
	f.set(w)
	f.want("a.io/v1", "two")
	w.Disabled = true
	f.set(w)
	f.want("a.io/v1", "")
	if o := last(t, told); o.State != Disabled || o.Digest != "" {
		t.Errorf("%+v", o)
	}
	w.Disabled = false
	f.set(w)
	f.want("a.io/v1", "two")
	f.set()
	f.want("a.io/v1", "")
	if len(f.Status()) != 0 {
		t.Errorf("%+v", f.Status())
	}
}

// TestSourcesInConflict has two sources want one route: the first keeps it, the other one says why not, and follows.
func TestSourcesInConflict(t *testing.T) {
	f := newFolder(t, plain)
	f.put("a.wasm", saying(t, "folder", serving("a", "a.io/v1")))
	w, told := wanting("other", saying(t, "resource", serving("other", "a.io/v1")))
	f.set(w)
	f.want("a.io/v1", "folder")
	if o := last(t, told); o.State != Failed || o.Err == nil || !strings.Contains(o.Err.Error(), "a.io/v1 is already answered by a.wasm") {
		t.Errorf("%+v", o)
	}
	if _, err := f.Delete(f.context(), "a"); err != nil {
		t.Fatal(err)
	}
	f.look()
	f.want("a.io/v1", "resource")
	f.put("a.wasm", saying(t, "folder", serving("a", "a.io/v1")))
	f.look()
	f.want("a.io/v1", "resource")
	if err := f.failing("a.wasm"); !strings.Contains(err, "already answered by resources/other") {
		t.Errorf("got %q", err)
	}
}

// TestSourceThatCannotBeRead serves what served before, says so, and is tried again, but not at every look.
func TestSourceThatCannotBeRead(t *testing.T) {
	f := newFolder(t, plain)
	w, _ := wanting("a", saying(t, "one", serving("a", "a.io/v1")))
	f.set(w)
	wasm := saying(t, "two", serving("a", "a.io/v1"))
	w, told := wanting("a", wasm)
	reads := 0
	w.Read = func(context.Context) ([]byte, error) {
		if reads++; reads < 4 {
			return nil, errors.New("far away")
		}
		return wasm, nil
	}
	f.set(w)
	f.want("a.io/v1", "one")
	if o := last(t, told); o.State != Degraded || o.Err == nil || !strings.Contains(o.Err.Error(), "far away") {
		t.Errorf("%+v", o)
	}
	for range 10 {
		f.slots["resources/a"].after = time.Now().Add(time.Hour)
		f.look()
	}
	if reads != 1 {
		t.Errorf("read %d times during the pause", reads)
	}
	for n := range 3 {
		if pause := f.slots["resources/a"].pause; pause != f.opts.Interval<<n {
			t.Errorf("a pause of %s after try %d", pause, n+1)
		}
		f.slots["resources/a"].after = time.Now()
		f.look()
	}
	f.want("a.io/v1", "two")
	w.Digest = module.Digest([]byte("another"))
	f.set(w)
	f.want("a.io/v1", "two")
	if o := last(t, told); o.Err == nil || !strings.Contains(o.Err.Error(), "another digest") {
		t.Errorf("%+v", o)
	}
	w.Read = func(context.Context) ([]byte, error) { panic("reading") }
	w.Digest = module.Digest([]byte("a third"))
	f.set(w)
	if o := last(t, told); o.Err == nil || !strings.Contains(o.Err.Error(), "panic: reading") {
		t.Errorf("%+v", o)
	}
}

// TestSourceChangesPolicy has a source grant what the configuration does not.
func TestSourceChangesPolicy(t *testing.T) {
	f := newFolder(t, plain)
	w, told := wanting("a", saying(t, "one", serving("a", "a.io/v1")+"wants: {prometheus: true}\n"))
	f.set(w)
	if o := last(t, told); o.Err == nil || !strings.Contains(o.Err.Error(), "not granted: prometheus") {
		t.Fatalf("%+v", o)
	}
	w.Policy = func(p module.Policy) module.Policy {
		p.Grants = service.Grants{Prometheus: true}
		return p
	}
	f.set(w)
	f.want("a.io/v1", "one")
	g := f.serving("a.io", "v1")
	f.set(w)
	if f.serving("a.io", "v1") != g {
		t.Error("loaded anew for the same policy")
	}
	w.Policy = nil
	f.set(w)
	f.want("a.io/v1", "one")
	if o := last(t, told); o.State != Degraded || g.Grants().Prometheus {
		t.Errorf("%+v, grants %+v", o, g.Grants())
	}
}

func TestSetRefuses(t *testing.T) {
	f := newFolder(t, plain)
	good, _ := wanting("a", saying(t, "one", serving("a", "a.io/v1")))
	bad, long := good, make([]Wanted, maxWanted+1)
	bad.Name = "../a"
	empty := good
	empty.Digest = ""
	for name, c := range map[string]struct {
		source string
		wanted []Wanted
	}{
		"folder": {"folder", nil}, "slash": {"a/b", nil}, "suffix": {"a.wasm", nil}, "twice": {"s", []Wanted{good, good}},
		"name": {"s", []Wanted{bad}}, "no digest": {"s", []Wanted{empty}}, "many": {"s", long},
	} {
		if err := f.Set(c.source, c.wanted); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	f.look()
	if len(f.Status()) != 0 {
		t.Errorf("%+v", f.Status())
	}
}
