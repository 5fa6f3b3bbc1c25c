package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// watched is a running watcher whose applied configurations are recorded.
type watched struct {
	*Watcher
	t *testing.T

	mu       sync.Mutex
	images   []string // terminal.image of each configuration applied
	refuse   error
	attempts chan Status
}

// watch starts a watcher on o. The backstop is an hour unless set: what a test
// sees then came from file events.
func watch(t *testing.T, o Options, backstop time.Duration) *watched {
	t.Helper()
	o.Env = noEnv
	c, report := mustLoad(t, o)
	w := &watched{t: t, attempts: make(chan Status, 100)}
	w.Watcher = NewWatcher(o, c, report, w.record, func(s Status) { w.attempts <- s })
	w.settle, w.backstop = 5*time.Millisecond, backstop
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		w.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-stopped
	})
	return w
}

func (w *watched) record(_ context.Context, c *Config) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.images = append(w.images, c.Terminal.Image)
	return w.refuse
}

func (w *watched) setRefuse(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuse = err
}

// await waits for an attempt that satisfies want; the deadline is there only
// so that a broken watcher fails its test instead of hanging it.
func (w *watched) await(what string, want func(Status) bool) Status {
	w.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case s := <-w.attempts:
			if want(s) {
				return s
			}
		case <-deadline:
			w.t.Fatalf("no %s; status: %s", what, w.Status())
		}
	}
}

// awaitImage waits until a configuration with this terminal.image serves.
func (w *watched) awaitImage(image string) Status {
	w.t.Helper()
	return w.await(image, func(s Status) bool { return s.OK && w.Config().Terminal.Image == image })
}

func withImage(image string) string { return "terminal:\n  image: " + image + "\n" }

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

const hour = time.Hour

// TestEditors changes the file in each way that editors do, several times,
// since a watch that dies does so after the first.
func TestEditors(t *testing.T) {
	for name, save := range map[string]func(t *testing.T, file, text string){
		"write in place": put,
		"atomic rename": func(t *testing.T, file, text string) {
			put(t, file+".new", text)
			must(t, os.Rename(file+".new", file))
		},
		"backup, then write": func(t *testing.T, file, text string) {
			must(t, os.Rename(file, file+"~"))
			put(t, file, text)
		},
		"remove, then create": func(t *testing.T, file, text string) {
			must(t, os.Remove(file))
			put(t, file, text)
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := writeFile(t, withImage("first"))
			w := watch(t, Options{File: file}, hour)
			for i := range 4 {
				image := fmt.Sprintf("image%d", i)
				save(t, file, withImage(image))
				s := w.awaitImage(image)
				if s.Generation < 2 || s.Hash != fingerprint(file) {
					t.Errorf("status %+v", s)
				}
			}
		})
	}
}

// configMap makes a folder as the kubelet mounts a ConfigMap, and returns the
// file and what swaps its content.
func configMap(t *testing.T, text string) (file string, swap func(text string)) {
	t.Helper()
	folder := t.TempDir()
	version := 0
	swap = func(text string) {
		old, _ := os.Readlink(filepath.Join(folder, "..data"))
		version++
		data := fmt.Sprintf("..2026_11_22_%d", version)
		must(t, os.Mkdir(filepath.Join(folder, data), 0o700))
		put(t, filepath.Join(folder, data, "kubesphere.yaml"), text)
		must(t, os.Symlink(data, filepath.Join(folder, "..data_tmp")),
			os.Rename(filepath.Join(folder, "..data_tmp"), filepath.Join(folder, "..data")))
		if old != "" {
			must(t, os.RemoveAll(filepath.Join(folder, old)))
		}
	}
	swap(text)
	file = filepath.Join(folder, "kubesphere.yaml")
	must(t, os.Symlink(filepath.Join("..data", "kubesphere.yaml"), file))
	return file, swap
}

func TestConfigMapSwaps(t *testing.T) {
	file, swap := configMap(t, withImage("first"))
	w := watch(t, Options{File: file}, hour)
	for i := range 4 {
		image := fmt.Sprintf("image%d", i)
		swap(withImage(image))
		w.awaitImage(image)
	}
}

// TestLinkedFile follows a link out of the folder, also after it moved.
func TestLinkedFile(t *testing.T) {
	first, second := writeFile(t, withImage("first")), writeFile(t, withImage("second"))
	file := filepath.Join(t.TempDir(), "kubesphere.yaml")
	must(t, os.Symlink(first, file))
	w := watch(t, Options{File: file}, hour)
	put(t, first, withImage("first again"))
	w.awaitImage("first again")
	must(t, os.Symlink(second, file+".new"), os.Rename(file+".new", file))
	w.awaitImage("second")
	put(t, second, withImage("second again"))
	w.awaitImage("second again")
}

func TestBadFileLeavesTheOldServing(t *testing.T) {
	file := writeFile(t, withImage("first"))
	w := watch(t, Options{File: file}, hour)
	before := w.Config()

	for text, want := range map[string]string{
		"terminal: {timeout: soon}\n": "1:21: terminal.timeout: cannot parse",
		"terminal: {image: [}\n":      "kubesphere.yaml:1:",
		"":                            "is empty",
		"# nothing but a comment\n":   "is empty",
	} {
		put(t, file, text)
		s := w.await(want, func(s Status) bool { return strings.Contains(s.Error, want) })
		if s.OK || s.Generation != 1 || w.Config() != before || !strings.Contains(s.String(), "reload failed at ") {
			t.Errorf("after %q: %s", text, s)
		}
	}
	put(t, file, withImage("mended"))
	s := w.awaitImage("mended")
	if s.Generation != 2 || s.Error != "" || strings.Contains(s.String(), "failed") {
		t.Errorf("mended: %s", s)
	}
	put(t, file, "nonsense")
	w.await("failure", func(s Status) bool { return !s.OK })
	put(t, file, withImage("mended")) // what serves already
	w.awaitImage("mended")
}

func TestRefusedConfiguration(t *testing.T) {
	file := writeFile(t, withImage("first"))
	w := watch(t, Options{File: file}, hour)
	w.setRefuse(errors.New("port taken"))
	put(t, file, withImage("refused"))
	s := w.await("refusal", func(s Status) bool { return !s.OK })
	if !strings.HasSuffix(s.Error, "kubesphere.yaml: port taken") || w.Config().Terminal.Image != "first" || s.Generation != 1 {
		t.Errorf("status %s, image %s", s, w.Config().Terminal.Image)
	}
	w.setRefuse(nil)
	must(t, w.Reload(context.Background())) // SIGHUP tries the same file again
	if s := w.Status(); !s.OK || s.Generation != 2 || w.Config().Terminal.Image != "refused" {
		t.Errorf("after SIGHUP: %s", s)
	}
}

// TestOverridesSurviveReload: flags and variables win over every new file.
func TestOverridesSurviveReload(t *testing.T) {
	file := writeFile(t, "terminal: {timeout: 1}\n")
	w := watch(t, Options{File: file, Overrides: []Override{{Path: "terminal.image", Value: "flag"}}}, hour)
	put(t, file, "terminal: {timeout: 2, image: file}\n")
	s := w.await("reload", func(s Status) bool { return s.OK })
	if c := w.Config(); c.Terminal.Image != "flag" || c.Terminal.Timeout != 2 || fmt.Sprint(s.Changed) != "[terminal.timeout]" {
		t.Errorf("image %s, timeout %d, changed %v", c.Terminal.Image, c.Terminal.Timeout, s.Changed)
	}
}

// TestBackstop finds what no event tells: here because the folder itself was
// replaced, which ends the watch on it.
func TestBackstop(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "etc")
	file := filepath.Join(folder, "kubesphere.yaml")
	must(t, os.Mkdir(folder, 0o700))
	put(t, file, withImage("first"))
	w := watch(t, Options{File: file}, 20*time.Millisecond)
	must(t, os.RemoveAll(folder))
	w.await("missing file", func(s Status) bool { return !s.OK && strings.Contains(s.Error, "no such file") })
	if w.Config().Terminal.Image != "first" {
		t.Error("a missing file changed the configuration")
	}
	must(t, os.Mkdir(folder, 0o700))
	put(t, file, withImage("second"))
	w.awaitImage("second")
}

// TestFileIsPinned: when the file on the search path vanishes, the next one on
// it does not take its place.
func TestFileIsPinned(t *testing.T) {
	first, second := writeFile(t, withImage("first")), writeFile(t, withImage("second"))
	w := watch(t, Options{Search: []string{filepath.Dir(first), filepath.Dir(second)}}, 20*time.Millisecond)
	must(t, os.Remove(first))
	w.await("missing file", func(s Status) bool { return !s.OK })
	if w.Config().Terminal.Image != "first" {
		t.Errorf("image %s", w.Config().Terminal.Image)
	}
}

// TestFileAppears: a process that started without a file takes the first one.
func TestFileAppears(t *testing.T) {
	folder := t.TempDir()
	w := watch(t, Options{Search: []string{folder}}, 20*time.Millisecond)
	put(t, filepath.Join(folder, "kubesphere.yaml"), withImage("appeared"))
	if s := w.awaitImage("appeared"); s.File != filepath.Join(folder, "kubesphere.yaml") {
		t.Errorf("file %q", s.File)
	}
}

func TestUnchangedFileIsNotReloaded(t *testing.T) {
	file := writeFile(t, withImage("first"))
	w := watch(t, Options{File: file}, 10*time.Millisecond)
	put(t, file+".new", withImage("first"))
	must(t, os.Rename(file+".new", file)) // an event, the same content
	must(t, os.Chtimes(file, time.Now(), time.Now()))
	put(t, file, withImage("second"))
	w.awaitImage("second")
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.images) != 1 {
		t.Errorf("applied %q", w.images)
	}
}

func TestStatusNamesKeysThatWait(t *testing.T) {
	file := writeFile(t, "postern: {listen: {address: ':1'}}\n")
	w := watch(t, Options{File: file}, hour)
	put(t, file, "postern: {listen: {address: ':2'}}\n")
	s := w.await("reload", func(s Status) bool { return s.OK })
	if fmt.Sprint(s.RestartRequired) != "[postern.listen.address]" {
		t.Errorf("waiting for a restart: %v", s.RestartRequired)
	}
	put(t, file, "postern: {listen: {address: ':1'}}\nterminal: {timeout: 5}\n")
	s = w.await("second reload", func(s Status) bool { return s.OK })
	if len(s.RestartRequired) != 0 || fmt.Sprint(s.Changed) != "[terminal.timeout postern.listen.address]" {
		t.Errorf("changed back: %v, changed %v", s.RestartRequired, s.Changed)
	}
}

// TestReloadsTakeTurns: Reload from many sides at once applies one at a time,
// and one that is not wanted any more does not wait.
func TestReloadsTakeTurns(t *testing.T) {
	c, report := mustLoad(t, Options{File: writeFile(t, withImage("x"))})
	inside := make(chan struct{})
	leave := make(chan struct{})
	w := NewWatcher(Options{File: report.File, Env: noEnv}, c, report, func(context.Context, *Config) error {
		inside <- struct{}{}
		<-leave
		return nil
	}, nil)
	results := make(chan error, 2)
	for range 2 {
		go func() { results <- w.Reload(context.Background()) }()
	}
	<-inside
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.Reload(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while another is under way: %v", err)
	}
	leave <- struct{}{}
	<-inside
	leave <- struct{}{}
	must(t, <-results, <-results)
	if s := w.Status(); s.Generation != 3 {
		t.Errorf("status %s", s)
	}
}
