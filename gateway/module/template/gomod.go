package template

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// self is the Go module that has SDK and runtime.
const self = "github.com/posternhq/postern"

// FindCheckout is the folder of the checkout of Postern that one of paths lies in; empty if none does.
func FindCheckout(paths ...string) string {
	for _, path := range paths {
		dir, err := filepath.Abs(path)
		for err == nil {
			if text, _ := os.ReadFile(filepath.Join(dir, "go.mod")); bytes.HasPrefix(text, []byte("module "+self+"\n")) {
				return dir
			}
			if parent := filepath.Dir(dir); parent != dir {
				dir = parent
				continue
			}
			break
		}
	}
	return ""
}

// requirements are the lines of a go.mod that name a module and its version.
var requirements = regexp.MustCompile(`(?m)^\t?(?:require )?([^\s()]+ v[^\s()]+)(?: // indirect)?$`)

// goModule adds go.mod and go.sum to all. In a folder of the checkout itself nothing is needed.
func (o Options) goModule(all map[string][]byte) error {
	if o.Checkout == "" {
		if FindCheckout(o.Dir) != "" {
			return nil
		}
		executable, err := os.Executable()
		if err != nil {
			executable = "."
		}
		o.Checkout = FindCheckout(".", executable)
	}
	if o.Checkout == "" {
		return o.released(all)
	}
	text, err := os.ReadFile(filepath.Join(o.Checkout, "go.mod"))
	if err != nil {
		return fmt.Errorf("cannot read the checkout's go.mod: %w", err)
	}
	sum, err := os.ReadFile(filepath.Join(o.Checkout, "go.sum"))
	if err != nil {
		return fmt.Errorf("cannot read the checkout's go.sum: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "module %s\n\n%s\n\nrequire %s v0.0.0\n\nreplace %s => %s\n\n", o.Name, goLine(text), self, self, o.Checkout)
	b.WriteString("// What the module's test needs, at the checkout's versions: `go mod tidy` leaves what is used.\nrequire (\n")
	for _, m := range requirements.FindAllStringSubmatch(string(text), -1) {
		fmt.Fprintf(&b, "\t%s // indirect\n", m[1])
	}
	b.WriteString(")\n")
	all["go.mod"], all["go.sum"] = []byte(b.String()), sum
	return nil
}

// released has the module require the version of Postern that this program is.
func (o Options) released(all map[string][]byte) error {
	if !strings.HasPrefix(o.Version, "v") || strings.HasPrefix(o.Version, "v0.0.0") {
		return errors.New("cannot tell which version of Postern the module shall use: this program was not built from a release; name a checkout with --postern")
	}
	all["go.mod"] = fmt.Appendf(nil, "module %s\n\ngo 1.26.0\n\nrequire %s %s\n", o.Name, self, o.Version)
	return nil
}

// goLine is the line of a go.mod with the language's version.
func goLine(text []byte) string {
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "go ") {
			return strings.TrimSpace(line)
		}
	}
	return "go 1.26"
}

func sorted(all map[string][]byte) []string { return slices.Sorted(maps.Keys(all)) }
