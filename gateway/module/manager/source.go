package manager

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/posternhq/postern/gateway/module"
)

// folderSource is the source whose modules are the folder's files.
const folderSource = "folder"

// Bounds of what sources other than the folder want.
const (
	readTimeout = 30 * time.Second // of one Read
	maxRetry    = 5 * time.Minute  // between two tries of a Read that fails; the first is tried again at the next look
	maxWanted   = 1000             // modules of one source
)

// Wanted is one module that a source other than the folder wants served.
type Wanted struct {
	// Name is unique within the source and stays while digests change: it is what history, disabling and Report go by.
	// Lower-case letters, digits, dots and dashes, as the name of a Kubernetes object.
	Name string
	// Digest is the sha256, in hex, of what Read gives. The module is read and loaded when it is another than before; what
	// Read gives is refused when it has another one.
	Digest string
	// Read gives the module's bytes, at most module.MaxSize. It is called on the manager's goroutine, which loads nothing else
	// meanwhile: bytes that come from afar should be at hand before. It is given up after 30 s. When it fails it is tried
	// again, at first with the next look, then ever more seldom, at least every 5 minutes.
	Read func(ctx context.Context) ([]byte, error)
	// Policy changes what the configuration says of the module of that name; nil: the configuration's word stands. A module
	// is loaded anew when the result changes.
	Policy func(configured module.Policy) module.Policy
	// Disabled keeps it known, but not served.
	Disabled bool
	// Rollout is how a new digest takes over from the one that serves; nil: at once, or as the configuration says.
	Rollout *Rollout
	// Report is told whenever the outcome differs from the last one told, and once after each Set; nil: nobody is. It is
	// called on the manager's goroutine and must not block.
	Report func(Outcome)
}

// Outcome is what became of one wanted module.
type Outcome struct {
	State   State
	Digest  string // sha256 of what serves, in hex; empty when nothing does
	Version string // of what serves, by its manifest
	Routes  []string
	// Candidate is the digest that a rollout tries beside it; empty when there is none.
	Candidate string
	// Err is why what is wanted does not serve: cannot be read, refused, in conflict with another source's, rolled back.
	// What is above may serve on.
	Err error
}

// same says whether there is no news in o after p.
func (o *Outcome) same(p *Outcome) bool {
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	return o.State == p.State && o.Digest == p.Digest && o.Version == p.Version && slices.Equal(o.Routes, p.Routes) &&
		o.Candidate == p.Candidate && text(o.Err) == text(p.Err)
}

// names of sources and of what they want.
var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

// Set replaces what a source wants served; an empty list takes all of its modules away. The source is any name but that of
// the folder, "folder". It returns at once: what becomes of each is told to its Report. The list must not be changed
// afterwards. Two sources that want the same route: the one that serves it first keeps it, the other one is told who does,
// and takes over when it goes. An error means that nothing has changed.
func (m *Manager) Set(source string, wanted []Wanted) error {
	if source == folderSource || !nameForm.MatchString(source) || filepath.Ext(source) == suffix {
		return fmt.Errorf("cannot use %q as the name of a source", source)
	}
	if len(wanted) > maxWanted {
		return fmt.Errorf("cannot serve %d modules of source %q: at most %d", len(wanted), source, maxWanted)
	}
	names := map[string]bool{}
	for _, w := range wanted {
		switch {
		case !nameForm.MatchString(w.Name):
			return fmt.Errorf("source %q: cannot use %q as a name", source, w.Name)
		case names[w.Name]:
			return fmt.Errorf("source %q wants %q twice", source, w.Name)
		case w.Read == nil || w.Digest == "":
			return fmt.Errorf("source %q: %q has no digest, or nothing to read it with", source, w.Name)
		}
		names[w.Name] = true
	}
	m.wantedMu.Lock()
	if len(wanted) == 0 {
		delete(m.wanted, source)
	} else {
		m.wanted[source] = wanted
	}
	m.wantedMu.Unlock()
	m.Look()
	return nil
}

// item is one module that some source wants served.
type item struct {
	key      string // of its slot: the file's name, or source/name
	source   string
	stamp    stamp   // of the folder's: whether it may have changed
	wanted   *Wanted // of other sources
	disabled bool
	read     func(ctx context.Context) ([]byte, error)
}

// items are what all sources want, in the order in which they are served first: the folder, then the others by name.
func (m *Manager) items() ([]*item, error) {
	files, err := list(m.opts.Dir)
	if err != nil {
		return nil, err
	}
	var all []*item
	for _, name := range slices.Sorted(maps.Keys(files)) {
		all = append(all, m.fileItem(name, files[name]))
	}
	m.wantedMu.Lock()
	defer m.wantedMu.Unlock()
	for _, source := range slices.Sorted(maps.Keys(m.wanted)) {
		of := m.wanted[source]
		for i := range of {
			w := &of[i]
			all = append(all, &item{key: source + "/" + w.Name, source: source, wanted: w, disabled: w.Disabled, read: w.bytes})
		}
	}
	return all, nil
}

func (m *Manager) fileItem(name string, f file) *item {
	return &item{
		key: name, source: folderSource, stamp: f.stamp, disabled: f.disabled,
		read: func(context.Context) ([]byte, error) { return read(filepath.Join(m.opts.Dir, name)) },
	}
}

// bytes reads the module and holds it against its digest.
func (w *Wanted) bytes(ctx context.Context) (wasm []byte, err error) {
	defer func() { // another package's code: what it does must not end the gateway
		if p := recover(); p != nil {
			err = fmt.Errorf("cannot read the module: panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	wasm, err = w.Read(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read the module: %w", err)
	case len(wasm) > module.MaxSize:
		return nil, fmt.Errorf("the module has more than %d bytes", module.MaxSize)
	case module.Digest(wasm) != w.Digest:
		return nil, errors.New("the module has another digest than it is wanted with: " + module.Digest(wasm))
	}
	return wasm, nil
}

// same says whether there is nothing new in an item since an earlier look.
func (i *item) same(earlier *item) bool {
	if earlier == nil || i.disabled != earlier.disabled {
		return false
	}
	if i.wanted == nil {
		return i.stamp.equal(earlier.stamp)
	}
	return earlier.wanted != nil && i.wanted.Digest == earlier.wanted.Digest
}

// policy is the operator's word on the module of a name, as the item's source has it.
func (i *item) policy(configured func(name string) module.Policy) func(name string) module.Policy {
	if i.wanted == nil || i.wanted.Policy == nil {
		return configured
	}
	return func(name string) module.Policy { return i.wanted.Policy(configured(name)) }
}
