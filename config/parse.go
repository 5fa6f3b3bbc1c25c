package config

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a document. The parser's time grows with the square of the number
// of keys in one mapping and of the depth (10,000 keys: under a second), and it
// recurses, so both are checked on the tokens, which cost linear time.
const (
	maxFileBytes = 1 << 20
	maxTokens    = 30_000
	maxDepth     = 64
	maxNodes     = 100_000 // after aliases have been followed
)

// syntaxError is a document that is no YAML, or over a bound.
type syntaxError struct {
	message      string
	line, column int
}

func (e *syntaxError) Error() string { return e.message }

// parseYAML returns the root of the only document in data; nil if there is
// nothing but comments.
func parseYAML(data []byte) (root ast.Node, err error) {
	defer func() {
		if r := recover(); r != nil { // the parser is not ours, the bytes are anybody's
			root, err = nil, &syntaxError{message: fmt.Sprintf("cannot parse YAML: %v", r)}
		}
	}()
	if len(data) > maxFileBytes {
		return nil, &syntaxError{message: fmt.Sprintf("larger than %s", Size(maxFileBytes))}
	}
	tokens := lexer.Tokenize(string(data))
	if err := boundTokens(tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil, asSyntaxError(err)
	}
	return onlyDocument(file)
}

func boundTokens(tokens token.Tokens) error {
	if len(tokens) > maxTokens {
		return &syntaxError{message: fmt.Sprintf("more than %d YAML tokens", maxTokens)}
	}
	flow, run := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow = max(flow-1, 0)
		}
		switch t.Type {
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			run++
		default:
			run = 0
		}
		if flow > maxDepth || run > maxDepth {
			return at(t, fmt.Sprintf("nested deeper than %d levels", maxDepth))
		}
	}
	return nil
}

func asSyntaxError(err error) error {
	var yamlError yaml.Error
	if !errors.As(err, &yamlError) {
		return &syntaxError{message: err.Error()}
	}
	return at(yamlError.GetToken(), yamlError.GetMessage())
}

func at(t *token.Token, message string) *syntaxError {
	e := &syntaxError{message: message}
	if t != nil && t.Position != nil {
		e.line, e.column = t.Position.Line, t.Position.Column
	}
	return e
}

func onlyDocument(file *ast.File) (ast.Node, error) {
	var root ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType || doc.Body.Type() == ast.DirectiveType {
			continue
		}
		if root != nil {
			return nil, at(doc.Body.GetToken(), "more than one YAML document")
		}
		root = doc.Body
	}
	return root, nil
}
