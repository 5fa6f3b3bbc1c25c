package query

import (
	"fmt"
	"strings"

	"github.com/posternhq/postern/gateway/module/data"
)

// path is a JSON Pointer into each object. Arrays on its way and at its end are gone through.
type path struct {
	whole  string
	tokens []string // each as a pointer of its own
}

// maxTokens bounds how deep a path may go.
const maxTokens = 16

func parsePath(pointer string) (path, error) {
	if !strings.HasPrefix(pointer, "/") || strings.Count(pointer, "/") > maxTokens {
		return path{}, fmt.Errorf("%.80q is not a JSON Pointer of 1 to %d tokens", pointer, maxTokens)
	}
	p := path{whole: pointer}
	for token := range strings.SplitSeq(pointer[1:], "/") {
		p.tokens = append(p.tokens, "/"+token)
	}
	return p, nil
}

// any says whether match holds for one of the texts at the path.
func (p *path) any(object []byte, match func(text []byte) bool) bool {
	if v, ok := data.Get(object, p.whole); ok { // mostly there is no array on the way
		return below(v, nil, match)
	}
	return len(p.tokens) > 1 && below(object, p.tokens, match)
}

// below is any for what lies tokens below a value.
func below(v []byte, tokens []string, match func(text []byte) bool) (found bool) {
	if len(v) > 0 && v[0] == '[' {
		data.Each(v, func(element []byte) bool {
			found = below(element, tokens, match)
			return !found
		})
		return found
	}
	if len(tokens) > 0 {
		next, ok := data.Get(v, tokens[0])
		return ok && below(next, tokens[1:], match)
	}
	if string(v) == "null" {
		return false
	}
	text, ok := data.Text(v)
	return ok && match(text)
}
