package data

import (
	"strconv"

	"github.com/posternhq/postern/hostabi"
)

// source is where further rows come from: a handle, taken through steps of its own, or rows inline.
type source struct {
	handle uint32
	steps  []step
	inline [][]byte // not nil: no handle
}

// source compiles {"doc": handle, "do": [steps]}, or an array of inline rows.
func (p *parser) source(raw []byte) (*source, error) {
	if err := p.count(); err != nil {
		return nil, err
	}
	if rows, err := list(raw); err == nil {
		return &source{inline: append(make([][]byte, 0, len(rows)), rows...)}, nil
	}
	args, err := fields(raw, "doc", "do")
	if err != nil {
		return nil, bad("source: %s", err)
	}
	handle, err := strconv.ParseUint(string(args["doc"]), 10, 32)
	if err != nil {
		return nil, bad(`source: "doc" is not a handle`)
	}
	s := &source{handle: uint32(handle)}
	if args["do"] != nil {
		s.steps, err = p.steps(args["do"])
	}
	return s, err
}

// rows are the source's rows.
func (s *source) rows(e *env) ([][]byte, error) {
	if s.inline != nil {
		return append([][]byte(nil), s.inline...), nil
	}
	doc, ok := []byte(nil), false
	if e.docs != nil {
		doc, ok = e.docs(s.handle)
	}
	if !ok {
		return nil, &failure{code: hostabi.NotFound, text: "there is no document " + strconv.FormatUint(uint64(s.handle), 10)}
	}
	raw, ok := whole(doc)
	if !ok {
		return nil, bad("document %d is not valid JSON, or nests too deep", s.handle)
	}
	v := &value{raw: raw}
	if err := e.run(s.steps, v); err != nil {
		return nil, err
	}
	return v.list()
}
