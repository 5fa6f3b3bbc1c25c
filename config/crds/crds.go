// Package crds holds the custom resources that the platform's state is kept in, as files for `kubectl apply` and inside
// the program for `postern crds`.
package crds

import (
	"embed"
	"fmt"
)

//go:embed *.yaml
var files embed.FS

// File is one CustomResourceDefinition.
type File struct {
	Name string // of the file, as iam-users.yaml
	YAML []byte // one document without a separator, ending in a newline
}

// Files is all of them, sorted by name.
func Files() []File {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(fmt.Sprintf("cannot list embedded files: %v", err)) // embed guarantees the root
	}
	all := make([]File, 0, len(entries))
	for _, e := range entries {
		text, err := files.ReadFile(e.Name())
		if err != nil {
			panic(fmt.Sprintf("cannot read embedded file %q: %v", e.Name(), err))
		}
		all = append(all, File{Name: e.Name(), YAML: text})
	}
	return all
}
