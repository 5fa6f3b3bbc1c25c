package query

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// read reads the question: the client's keys and the module's own.
func read(call *service.Call, args service.Args) (*question, error) {
	own, always, hints, err := filters(args[hostabi.TagFilter])
	if err != nil {
		return nil, err
	}
	q, err := ask(args.Get(hostabi.TagQuery), own, set(args[hostabi.TagKnown]))
	if err != nil {
		return nil, err
	}
	// What costs least and leaves out most comes first.
	q.filters, q.hints = append(always, q.filters...), hints
	by := args.Get(hostabi.TagBy)
	for _, part := range [...]struct {
		doc  []byte
		want bool
	}{{call.Except, false}, {call.Only, true}} {
		if part.doc == nil {
			continue
		}
		list, err := names(part.doc)
		if err != nil {
			return nil, err
		}
		f, err := among(by, set(list), part.want)
		if err != nil {
			return nil, err
		}
		q.filters = slices.Insert(q.filters, 0, f)
		if part.want && by != "" {
			q.hints = slices.Insert(q.hints, 0, hint{by, list})
		}
	}
	return q, nil
}

// among keeps the objects of which a text at by, their name if it is empty, is one of names; or none is.
func among(by string, names map[string]bool, want bool) (filter, error) {
	if by == "" {
		return func(r *Row) bool { return names[r.Name] == want }, nil
	}
	p, err := parsePath(by)
	match := func(text []byte) bool { return names[string(text)] }
	return func(r *Row) bool { return p.any(r.Raw, match) == want }, err
}

// maxFilters bounds a list's own keys.
const maxFilters = 64

// filters reads a list's own filters: those of a key, and those that always hold.
func filters(texts []string) (own map[string]maker, always []filter, hints []hint, err error) {
	own = map[string]maker{}
	if len(texts) > maxFilters {
		return nil, nil, nil, fmt.Errorf("%d filters are more than %d", len(texts), maxFilters)
	}
	for _, text := range texts {
		parts := strings.SplitN(text, "\n", 4)
		if len(parts) < 3 || (len(parts) == 4) != (parts[0] == "") {
			return nil, nil, nil, fmt.Errorf("cannot read filter %.80q: key, how and JSON Pointer, one a line; without a key, a value", text)
		}
		made := at(parts[1], parts[2])
		value := ""
		if len(parts) == 4 {
			value = parts[3]
		}
		f, err := made(value)
		if err != nil {
			return nil, nil, nil, err
		}
		if parts[0] == "" {
			always = append(always, f)
			if parts[1] == "exact" {
				hints = append(hints, hint{parts[2], []string{value}})
			}
		} else {
			own[parts[0]] = made
		}
	}
	return own, always, hints, nil
}

// names reads a JSON array of names.
func names(doc []byte) (all []string, err error) {
	if err := json.Unmarshal(doc, &all); err != nil {
		return nil, fmt.Errorf("only and except are arrays of names: %w", err)
	}
	return all, nil
}
