package config

import (
	"cmp"
	"fmt"
	"strings"
)

// Problem is one thing that is wrong or odd in a source of configuration.
type Problem struct {
	File    string // the file, or the variable or flag the value came from
	Line    int    // from 1; 0 when File is no file
	Column  int    // from 1, in characters
	Key     string // full path as kubesphere.yaml spells it, or empty
	Message string // what is wrong, without the place
	Nearest string // full path of the known key that was perhaps meant
	Excerpt string // the line and a mark below it; empty if it may be secret
}

// String is the problem on one line: file:line:col: key: message.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
		}
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Message)
	if p.Nearest != "" {
		fmt.Fprintf(&b, "; the nearest known key is %s", p.Nearest)
	}
	return b.String()
}

// byPlace orders problems as a reader goes through the file.
func byPlace(a, b Problem) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

// Errors is what Load returns when the configuration cannot be used.
type Errors []Problem

// Error lists the problems, one a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// maxProblems bounds what one Load reports, warnings and errors each: a file
// that is not ours at all would otherwise give thousands.
const maxProblems = 100

// Report is what Load has to say besides the configuration itself.
type Report struct {
	File     string    // the file that was read; empty if there is none
	Hash     string    // SHA-256 of its content in hex; empty if there is none
	Warnings []Problem // at most 100
	errors   Errors    // at most 100
	empty    bool      // the file has no keys
}

func (r *Report) warn(p Problem) {
	if len(r.Warnings) < maxProblems {
		r.Warnings = append(r.Warnings, p)
	}
}

func (r *Report) fail(p Problem) {
	if len(r.errors) < maxProblems {
		r.errors = append(r.errors, p)
	}
}
