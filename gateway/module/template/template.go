// Package template makes folders in which new modules begin: they build and pass their own tests as they are.
package template

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/source"
	"github.com/posternhq/postern/hostabi/assemblyscript"
	"github.com/posternhq/postern/hostabi/c"
	"github.com/posternhq/postern/hostabi/rust"
)

//go:embed files
var files embed.FS

// sdk are the files of each language's SDK, which a new module gets a copy of. Go has its own in go.mod.
var sdk = map[source.Language]map[string][]byte{
	source.C:              {"postern.h": c.Header},
	source.Rust:           {"postern.rs": rust.Source},
	source.AssemblyScript: {"postern.ts": assemblyscript.Source, "package.json": assemblyscript.Package, "package-lock.json": assemblyscript.Lock},
}

// Options say which module is wanted.
type Options struct {
	// Name is the module's: [a-z0-9-]{1,63}.
	Name string
	// Group is the API group that it answers; default NAME.example.io.
	Group    string
	Language source.Language
	// Dir is the folder to make; default Name. It may be there already, if it is empty.
	Dir string
	// Checkout is the folder of a checkout of Postern, whose SDK and runtime a Go module uses. Empty: found by FindCheckout,
	// else Version is required.
	Checkout string
	// Version of Postern, such as v1.2.3, that a Go module requires without a checkout.
	Version string
}

// New makes the folder and gives the paths of its files, relative to it.
func New(o Options) ([]string, error) {
	if o.Group == "" {
		o.Group = o.Name + ".example.io"
	}
	if o.Dir == "" {
		o.Dir = o.Name
	}
	all, err := o.render()
	if err != nil {
		return nil, err
	}
	if _, err := manifest.Parse(all["module.yaml"]); err != nil {
		return nil, err
	}
	if o.Language == source.Go {
		if err := o.goModule(all); err != nil {
			return nil, err
		}
	}
	return write(o.Dir, all)
}

// render fills in the templates.
func (o Options) render() (map[string][]byte, error) {
	all := map[string][]byte{}
	// Not text/template: its methods by name keep the linker from leaving out what nothing calls, and the program is 7 MB larger.
	blanks := strings.NewReplacer("[[.Name]]", o.Name, "[[.Group]]", o.Group)
	for name, content := range sdk[o.Language] {
		all[name] = content
	}
	for _, root := range []string{"files/common", "files/" + string(o.Language)} {
		err := fs.WalkDir(files, root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := files.ReadFile(name)
			if err != nil {
				return err
			}
			name = strings.TrimSuffix(strings.TrimPrefix(name, root+"/"), ".tmpl")
			if name == "gitignore" {
				name = ".gitignore"
			}
			all[name] = []byte(strings.TrimRight(blanks.Replace(string(text)), "\n") + "\n")
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("cannot make a module in %q: %w", o.Language, err)
		}
	}
	return all, nil
}

// write makes dir with all files. A folder that holds something is left alone.
func write(dir string, all map[string][]byte) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot make the module: %w", err)
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("cannot make the module in %q: the folder is not empty; choose another one with --dir", dir)
	}
	for name, content := range all {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, fmt.Errorf("cannot make the module: %w", err)
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return nil, fmt.Errorf("cannot make the module: %w", err)
		}
	}
	return sorted(all), nil
}
