package authz

import "github.com/posternhq/postern/gateway/pmap"

// table is a persistent list of matchers by number: a change copies the page that it is on, and the list of pages.
type table struct{ pages []*page }

const pageSize = 64

type page struct {
	edit     *pmap.Edit
	matchers [pageSize]*matcher
}

// nothing is the matcher of roles that allow nothing.
var nothing = new(matcher)

func (t table) get(n uint32) *matcher {
	if m := t.pages[n/pageSize].matchers[n%pageSize]; m != nil {
		return m
	}
	return nothing
}

// set is t with m as number n. Only pages of the same edit are changed in place.
func (t table) set(edit *pmap.Edit, n uint32, m *matcher) table {
	i := int(n / pageSize)
	if i < len(t.pages) && t.pages[i].edit == edit {
		t.pages[i].matchers[n%pageSize] = m
		return t
	}
	pages := make([]*page, max(len(t.pages), i+1))
	copy(pages, t.pages)
	own := &page{edit: edit}
	if pages[i] != nil {
		own.matchers = pages[i].matchers
	}
	own.matchers[n%pageSize] = m
	pages[i] = own
	return table{pages}
}
