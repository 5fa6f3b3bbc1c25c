package query

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/posternhq/postern/gateway/module/data"
)

// dropper removes members of each object of an array; nil if there are none to remove.
func dropper(pointers []string) (*data.Program, error) {
	if len(pointers) == 0 {
		return nil, nil
	}
	list, err := json.Marshal(pointers)
	if err != nil {
		return nil, err
	}
	return data.Compile([]byte(`[{"remove":` + string(list) + `}]`))
}

// render writes a page, of at most most bytes.
func render(page []*Row, head string, total int, drop *data.Program, most int64) ([]byte, error) {
	const opening, closing = `{"items":`, `,"totalItems":1234567890}`
	size := int64(len(opening) + len(closing) + 2)
	for _, r := range page {
		size += int64(len(r.Raw) + len(head) + 1)
	}
	if size > most {
		return nil, fmt.Errorf("the answer has more than %d bytes", most)
	}
	b := append(append(make([]byte, 0, size), opening...), '[')
	for i, r := range page {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendHeaded(b, head, r.Raw)
	}
	b = append(b, ']')
	if drop != nil {
		items, err := drop.Run(nil, b[len(opening):], most)
		if err != nil {
			return nil, err
		}
		b = append(b[:len(opening)], items...)
	}
	b = append(b, `,"totalItems":`...)
	return append(strconv.AppendInt(b, int64(total), 10), '}'), nil
}

// appendHeaded appends an object with head, which ends in a comma, before its members.
func appendHeaded(b []byte, head string, raw []byte) []byte {
	if head == "" {
		return append(b, raw...)
	}
	rest := bytes.TrimLeft(raw[1:], " \n\t\r")
	if rest[0] == '}' {
		head = head[:len(head)-1]
	}
	return append(append(append(b, '{'), head...), rest...)
}
