package query

import (
	"errors"
	"fmt"

	"github.com/posternhq/postern/gateway/module/data"
)

// RowsOf are the objects of a document: an object with items, or an array. They alias it.
func RowsOf(doc []byte) ([]*Row, error) {
	items, ok := data.Get(doc, "")
	if ok && items[0] == '{' {
		items, ok = data.Get(items, "/items")
	}
	if !ok || items[0] != '[' && string(items) != "null" {
		return nil, errors.New("a list is an object with items, or an array")
	}
	var rows []*Row
	bad := false
	data.Each(items, func(raw []byte) bool {
		bad = len(rows) == data.MaxRows || raw[0] != '{'
		if !bad {
			rows = append(rows, NewRow(raw))
		}
		return !bad
	})
	if bad {
		return nil, fmt.Errorf("a list has objects, and at most %d of them", data.MaxRows)
	}
	return rows, nil
}
