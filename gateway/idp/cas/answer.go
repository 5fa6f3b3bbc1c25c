package cas

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/posternhq/postern/gateway/idp"
)

// namespace of all elements (CAS protocol, appendix A).
const namespace = "http://www.yale.edu/tp/cas"

// Bounds of an answer. One is some hundred bytes; with attributes, a few thousand.
const (
	maxBytes = 256 << 10
	maxDepth = 8
	maxTexts = 1000 // attributes, with their values
)

// answer is that a ticket is good.
type answer struct {
	user       string
	attributes map[string][]string
}

// element is XML as it is read: every element below the root is kept with its text, whatever it is.
type element struct {
	name     xml.Name
	text     strings.Builder
	children []*element
}

// parse reads an answer. It wants what the protocol describes and nothing that could be read in two ways: one success or one
// failure, one user, no document type, nothing behind the end.
func parse(data []byte) (*answer, error) {
	root, err := read(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w: %w", errAnswer, idp.ErrRefused, err)
	}
	if root.name != (xml.Name{Space: namespace, Local: "serviceResponse"}) || len(root.children) != 1 {
		return nil, fmt.Errorf("%w: %w", errAnswer, idp.ErrRefused)
	}
	result := root.children[0]
	if result.name != (xml.Name{Space: namespace, Local: "authenticationSuccess"}) {
		return nil, fmt.Errorf("the server says no: %.100q: %w", strings.TrimSpace(result.text.String()), idp.ErrRefused)
	}
	return success(result)
}

func success(e *element) (*answer, error) {
	a := &answer{attributes: map[string][]string{}}
	users := 0
	for _, c := range e.children {
		if c.name.Space != namespace {
			continue
		}
		switch c.name.Local {
		case "user":
			users++
			a.user = strings.TrimSpace(c.text.String())
			if len(c.children) > 0 {
				return nil, fmt.Errorf("%w: %w: elements in the user", errAnswer, idp.ErrRefused)
			}
		case "attributes":
			for _, attribute := range c.children {
				name := attribute.name.Local
				a.attributes[name] = append(a.attributes[name], strings.TrimSpace(attribute.text.String()))
			}
		case "proxies": // the ticket came by way of another service, which serviceValidate must refuse
			return nil, fmt.Errorf("%w: %w: a proxy's ticket", errAnswer, idp.ErrRefused)
		}
	}
	if users != 1 || a.user == "" {
		return nil, fmt.Errorf("%w: %w: %d users", errAnswer, idp.ErrRefused, users)
	}
	return a, nil
}

var (
	errMarkup = errors.New("document type or processing instruction")
	errSize   = errors.New("too large")
	errShape  = errors.New("not one element")
)

// read reads one element and all below it.
func read(data []byte) (*element, error) {
	if len(data) > maxBytes {
		return nil, errSize
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		return nil, fmt.Errorf("character set %q", charset) // UTF-8 is read without asking
	}
	var root *element
	var open []*element
	for elements := 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && len(open) == 0 && root != nil {
			return root, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			e := &element{name: t.Name}
			elements++
			switch {
			case elements > maxTexts || len(open) == maxDepth:
				return nil, errSize
			case len(open) > 0:
				parent := open[len(open)-1]
				parent.children = append(parent.children, e)
			case root != nil:
				return nil, errShape
			default:
				root = e
			}
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text.Write(t)
			} else if len(bytes.TrimSpace(t)) > 0 {
				return nil, errShape
			}
		case xml.Directive:
			return nil, errMarkup
		case xml.ProcInst:
			if t.Target != "xml" {
				return nil, errMarkup
			}
		}
	}
}
