package config

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// source is where a value came from; the zero source is a default.
type source struct {
	file         string // a file, or the name of a variable or flag
	line, column int
}

// origin makes sources and excerpts for one text: a file with lines, or a
// variable or flag, in which a line number would mean nothing.
type origin struct {
	file  string
	lines [][]byte
}

func fileOrigin(file string, data []byte) origin {
	return origin{file, bytes.Split(data, []byte("\n"))}
}

func (o origin) at(t *token.Token) source {
	s := source{file: o.file}
	if o.lines != nil && t != nil && t.Position != nil {
		s.line, s.column = t.Position.Line, t.Position.Column
	}
	return s
}

// problem places a message. A nil token stands for the whole text.
func (o origin) problem(t *token.Token, key path, message string) Problem {
	return o.problemAt(o.at(t), key.String(), message)
}

func (o origin) problemAt(s source, key, message string) Problem {
	p := Problem{File: s.file, Line: s.line, Column: s.column, Key: key, Message: message}
	if s.file == o.file {
		p.Excerpt = o.excerpt(s)
	}
	return p
}

const maxExcerpt = 160 // characters of one line that are shown

// keyOf matches the key at the start of a line, and nothing of its value.
var keyOf = regexp.MustCompile(`^[\s\-{"']*([$\w./-]+)["']?\s*:`)

// excerpt shows the line and a mark. Lines that may hold a secret are not
// shown: those whose key sounds like one, and those without a key, which may
// go on with a value from above. Errors end up in logs.
func (o origin) excerpt(s source) string {
	if s.line < 1 || s.line > len(o.lines) {
		return ""
	}
	line := strings.TrimRight(string(o.lines[s.line-1]), "\r\n ")
	key := keyOf.FindStringSubmatch(line)
	if key == nil || soundsSecret(key[1]) || strings.Contains(line, ",") || len(line) > maxExcerpt || !utf8.ValidString(line) {
		return ""
	}
	gutter := fmt.Sprintf("%5d | ", s.line)
	mark := strings.Repeat(" ", max(s.column-1, 0)) + "^"
	return gutter + line + "\n" + strings.Repeat(" ", len(gutter)-2) + "| " + mark
}

// secretName matches names whose values are not printed, in maps of anything.
var secretName = regexp.MustCompile(`(?i)pass|secret|token|key|credential`)

func soundsSecret(key string) bool { return secretName.MatchString(key) }

// kindOf says what a node is, for messages.
func kindOf(n ast.Node) string {
	switch n.Type() {
	case ast.MappingType, ast.MappingValueType:
		return "a mapping"
	case ast.SequenceType:
		return "a list"
	}
	return "a single value"
}
