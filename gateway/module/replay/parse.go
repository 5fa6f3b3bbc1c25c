// Package replay reads files of HTTP requests, as VS Code's REST Client and JetBrains' editors write them, with what is
// expected of the answers in comments, sends them and says what differs.
package replay

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// Bounds of a file.
const (
	maxFile     = 4 << 20 // bytes
	maxLine     = 1 << 20 // bytes, once variables are filled in
	maxRequests = 4096
)

// Request is one request of a file.
type Request struct {
	Name   string // what stands behind ###, or the method and path
	Line   int    // of the file, of the request line
	Method string
	Path   string // with its query, as it was written; scheme and host are left out
	Header [][2]string
	Body   string // without the blank lines at its end
	Expect Expect
}

// Parse reads a file. Requests are separated by lines that begin with ###; errors name their line.
func Parse(text []byte) ([]Request, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("file has %d bytes, more than %d", len(text), maxFile)
	}
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	p := &parser{variables: map[string]string{}}
	for i, line := range strings.Split(string(text), "\n") {
		if err := p.line(i+1, line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	if len(p.all) == 0 {
		return nil, errors.New("there is no request in it")
	}
	return p.all, nil
}

// parser reads line by line.
type parser struct {
	variables map[string]string
	all       []Request
	r         Request
	state     state
	body      []string
	title     int // the line of an ### without a request so far
}

// state is the part of a request that the next line belongs to.
type state int

const (
	before state = iota // comments, variables, then the request line
	target              // the request line may go on
	header
	body
)

func (p *parser) line(number int, line string) error {
	if strings.HasPrefix(line, "###") {
		if err := p.finish(); err != nil {
			return err
		}
		p.r.Name, p.title = strings.TrimSpace(strings.TrimLeft(line, "#")), number
		return nil
	}
	if p.state == body {
		return p.bodyLine(line)
	}
	trimmed := strings.TrimSpace(line)
	if comment, ok := commented(trimmed); ok {
		return p.comment(comment)
	}
	switch {
	case p.state == before && trimmed == "":
		return nil
	case p.state == before && strings.HasPrefix(trimmed, "@"):
		return p.variable(trimmed[1:])
	case p.state == before:
		return p.requestLine(number, trimmed)
	case trimmed == "":
		p.state = body
		return nil
	case p.state == target && (trimmed[0] == '?' || trimmed[0] == '&'):
		more, _, _ := strings.Cut(trimmed, " HTTP/")
		return p.setTarget(p.r.Path + more)
	}
	return p.headerLine(trimmed)
}

// commented is a comment's text.
func commented(line string) (string, bool) {
	if text, ok := strings.CutPrefix(line, "#"); ok {
		return strings.TrimSpace(text), true
	}
	text, ok := strings.CutPrefix(line, "//")
	return strings.TrimSpace(text), ok
}

// comment takes a name or an expectation; all others are for people.
func (p *parser) comment(text string) error {
	if name, ok := strings.CutPrefix(text, "@name "); ok {
		p.r.Name = strings.TrimSpace(name)
		return nil
	}
	if !strings.HasPrefix(text, "expect") {
		return nil
	}
	key, value, _ := strings.Cut(text, " ")
	return p.r.Expect.add(key, strings.TrimSpace(value))
}

var variableForm = regexp.MustCompile(`^([A-Za-z_][\w.-]*)\s*=\s*(.*)$`)

func (p *parser) variable(text string) error {
	m := variableForm.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("cannot read %q as a variable: want @name = value", "@"+text)
	}
	value, err := p.fill(m[2])
	p.variables[m[1]] = value
	return err
}

var reference = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// fill puts variables into text; one that is not defined is an error.
func (p *parser) fill(text string) (string, error) {
	filled, missing := p.replace(text)
	if missing != "" {
		return "", fmt.Errorf("no variable %q: define it above with @%s = value", missing, missing)
	}
	if len(filled) > maxLine {
		return "", fmt.Errorf("variables make a line longer than %d bytes", maxLine)
	}
	return filled, nil
}

// replace puts variables into text until it is longer than a line may be. What is not defined stays, and its name is told.
func (p *parser) replace(text string) (filled, missing string) {
	size := len(text)
	filled = reference.ReplaceAllStringFunc(text, func(match string) string {
		name := reference.FindStringSubmatch(match)[1]
		value, ok := p.variables[name]
		if !ok {
			missing = name
			return match
		}
		if size += len(value); size > 2*maxLine {
			return match
		}
		return value
	})
	return filled, missing
}

var method = regexp.MustCompile(`^[A-Z][A-Z-]*$`)

// requestLine is METHOD TARGET, with HTTP/1.1 behind it or not; a lone target is a GET.
func (p *parser) requestLine(number int, line string) error {
	if len(p.all) == maxRequests {
		return fmt.Errorf("more than %d requests", maxRequests)
	}
	line, err := p.fill(line)
	if err != nil {
		return err
	}
	fields := strings.Fields(line)
	if n := len(fields); n > 1 && strings.HasPrefix(fields[n-1], "HTTP/") {
		fields = fields[:n-1]
	}
	p.r.Method = http.MethodGet
	if len(fields) > 1 {
		p.r.Method, fields = fields[0], fields[1:]
	}
	if len(fields) != 1 || !method.MatchString(p.r.Method) {
		return fmt.Errorf("cannot read %q as a request: want METHOD /path", line)
	}
	p.state, p.r.Line = target, number
	return p.setTarget(fields[0])
}

// setTarget notes the path of a URL, or a path as it is.
func (p *parser) setTarget(text string) error {
	text, err := p.fill(text)
	if err != nil {
		return err
	}
	if rest, ok := cutScheme(text); ok {
		if at := strings.IndexAny(rest, "/?"); at < 0 {
			text = "/"
		} else if text = rest[at:]; text[0] == '?' {
			text = "/" + text
		}
	}
	text, _, _ = strings.Cut(text, "#")
	if !strings.HasPrefix(text, "/") || strings.ContainsAny(text, " \t") {
		return fmt.Errorf("cannot use %q: want a path that begins with /, or a URL, escaped", text)
	}
	if _, err := url.ParseRequestURI(text); err != nil {
		return fmt.Errorf("cannot use %q as a path: %w", text, err)
	}
	p.r.Path = text
	return nil
}

func cutScheme(text string) (string, bool) {
	for _, scheme := range []string{"http://", "https://"} {
		if rest, ok := strings.CutPrefix(text, scheme); ok {
			return rest, true
		}
	}
	return text, false
}

func (p *parser) headerLine(line string) error {
	line, err := p.fill(line)
	if err != nil {
		return err
	}
	name, value, ok := strings.Cut(line, ":")
	if !ok || name == "" || strings.ContainsAny(name, " \t") || strings.ContainsFunc(line, isControl) {
		return fmt.Errorf("cannot read %q as a header: want Name: value", line)
	}
	p.state = header
	if !strings.EqualFold(name, "Host") { // the requests go where the file is replayed
		p.r.Header = append(p.r.Header, [2]string{name, strings.TrimSpace(value)})
	}
	return nil
}

func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

func (p *parser) bodyLine(line string) error {
	if len(p.body) == 0 && (strings.HasPrefix(line, "< ") || strings.HasPrefix(line, "> {%")) {
		return errors.New("bodies from files and scripts are not supported: write the body here, and expectations as # expect comments above the request line")
	}
	filled, _ := p.replace(line) // what looks like a variable in a body and is none stays: templates are JSON's neighbours
	p.body = append(p.body, filled)
	return nil
}

// finish ends the request that has been read, if there is one.
func (p *parser) finish() error {
	if p.state == before {
		if p.r.Expect.any() {
			return fmt.Errorf("line %d: expectations without a request: write them below ###, above the request line", p.title)
		}
		p.r = Request{}
		return nil
	}
	p.r.Body = strings.TrimRight(strings.Join(p.body, "\n"), "\n")
	if p.r.Name == "" {
		p.r.Name = p.r.Method + " " + p.r.Path
	}
	p.all = append(p.all, p.r)
	p.r, p.state, p.body = Request{}, before, nil
	return nil
}
