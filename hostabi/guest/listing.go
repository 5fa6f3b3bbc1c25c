package guest

import "github.com/posternhq/postern/hostabi"

// How a filter compares.
const (
	Exact     = "exact"     // one of the values at the path is the text
	Substring = "substring" // one of them contains it
	Absent    = "absent"    // none of them is it
)

// Filter is a key of a list's query beyond those that every list has. Objects of the cache with a value that is always
// wanted, exactly, are found without looking at the others.
type Filter struct {
	// Key is the query's; empty for a filter that always applies, with Value.
	Key string
	// How is Exact, Substring or Absent.
	How string
	// Path is a JSON Pointer into each object. Arrays on its way and at its end are gone through: /subjects/name are the
	// names of all subjects, /spec/groups each of the groups.
	Path string
	// Value is what a filter without a key compares with.
	Value string
}

// Listing is a client's question to a list: filters, order and page out of its query, as all lists of the platform have
// them. The host answers it: what is not on the page never enters the module.
//
// Keys: page (default 1), limit (default and below 0: all), sortBy (creationTimestamp, createTime, name; default
// creationTimestamp), ascending (default false), labelSelector; name (substring), names (comma list), alias (substring of
// the annotation kubesphere.io/alias-name), uid, namespace, ownerReference (uid), ownerKind, annotation and label
// (selectors). Of a key that is there twice the last one counts; an empty one is as none. What cannot be read is BadArgument;
// a key that nobody knows is left out with a warning.
type Listing struct {
	// Object names the kind that is listed, with Namespace, LabelSelector, FieldSelector and AsModule as for List. It is read
	// from the host's cache unless Live. Limit, Continue and Cached mean nothing here.
	Object Object
	Live   bool
	// From is a list that the module holds instead: an object with items, or an array.
	From Data
	// Query is a raw query; default the request's own. Unasked is a listing without any.
	Query   string
	Unasked bool
	// Filters are this list's own keys; Known are those of the query that the module reads itself.
	Filters []Filter
	Known   []string
	// Only and Except are JSON arrays of names, made with Names or Transform: only these objects, or not these. A zero one
	// is none. By is a JSON Pointer to what they name, instead of the object: /subjects/name has bindings of these subjects.
	Only, Except Data
	By           string
	// Drop are JSON Pointers that each item loses, such as /spec/password.
	Drop []string
}

// Page is what a Listing found: `{"items":[…],"totalItems":N}`, where N is before paging.
type Page struct {
	Data
	// Warning is a value for the header Warning; empty if there is nothing to warn of.
	Warning string
}

func (l *Listing) record(query string) hostabi.Record {
	var r hostabi.Record
	if l.From.handle != 0 {
		r = handle(r, hostabi.TagBodyHandle, l.From)
	} else {
		o := l.Object
		o.Cached, o.Limit, o.Continue = !l.Live, 0, ""
		r = o.record("list", nil)
	}
	r = r.Append(hostabi.TagQuery, query)
	if l.By != "" {
		r = r.Append(hostabi.TagBy, l.By)
	}
	for _, f := range l.Filters {
		text := f.Key + "\n" + f.How + "\n" + f.Path
		if f.Key == "" {
			text += "\n" + f.Value
		}
		r = r.Append(hostabi.TagFilter, text)
	}
	for _, key := range l.Known {
		r = r.Append(hostabi.TagKnown, key)
	}
	for _, pointer := range l.Drop {
		r = r.Append(hostabi.TagDrop, pointer)
	}
	return handle(handle(r, hostabi.TagOnly, l.Only), hostabi.TagExcept, l.Except)
}

// Page answers a question to a list.
func (r *Request) Page(l Listing) (Page, error) {
	query := l.Query
	if query == "" && !l.Unasked {
		query = r.RawQuery()
	}
	token := kubeQuery(r.ex, l.record(query))
	c, err := r.await(token)
	if err != nil {
		return Page{}, err
	}
	warning, _ := grow(func(buf []byte) int32 { return errorOf(r.ex, uint32(token), buf) })
	return Page{Data{r.ex, c.Handle}, warning}, nil
}

// Page answers with a page, and its warning.
func (w *Response) Page(p Page) error {
	if p.Warning != "" {
		if err := w.Header("Warning", p.Warning); err != nil {
			return err
		}
	}
	if err := w.Header("Content-Type", "application/json"); err != nil {
		return err
	}
	return w.Splice(p.Data)
}

// Names is a JSON array of texts at the host, for Only and Except.
func (r *Request) Names(names []string) (Data, error) {
	b := []byte{'['}
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, Quote(name)...)
	}
	return r.NewData(append(b, ']'))
}
