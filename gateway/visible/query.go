package visible

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// query is what a list or watch asks for, as far as it goes on to kube-apiserver.
type query struct {
	labels, fields string
	version, match string // resourceVersion, resourceVersionMatch
	limit          int64  // 0: no limit
	token          string // continue
	// of watches
	initial bool       // sendInitialEvents
	rest    url.Values // what goes on as it is
}

var (
	errLimit   = errors.New("limit is not a number of objects")
	errVersion = errors.New("resourceVersion must be unset when continue is given")
)

// readQuery reads the query of a request that is a list or a watch by what authorization has read. Of a parameter that is
// given more than once the first counts, as for kube-apiserver.
func readQuery(raw string, watch bool) (q query, err error) {
	all, _ := url.ParseQuery(raw) // what cannot be read does not count: so does kube-apiserver
	q = query{
		labels: all.Get("labelSelector"), fields: all.Get("fieldSelector"),
		version: all.Get("resourceVersion"), match: all.Get("resourceVersionMatch"),
		token: all.Get("continue"), initial: truthy(all, "sendInitialEvents"), rest: url.Values{},
	}
	if v := all.Get("includeObject"); v == "Object" { // None is Metadata here: a row without object is nobody's
		q.rest.Set("includeObject", v)
	}
	if watch {
		for _, key := range []string{"timeoutSeconds", "allowWatchBookmarks", "sendInitialEvents"} {
			if all.Has(key) {
				q.rest.Set(key, all.Get(key))
			}
		}
		return q, nil
	}
	if v := all.Get("limit"); v != "" {
		if q.limit, err = strconv.ParseInt(v, 10, 64); err != nil || q.limit < 0 {
			return q, errLimit
		}
	}
	if q.token != "" && q.version != "" && q.version != "0" {
		return q, errVersion
	}
	q.latest()
	return q, nil
}

// latest has a list that may be of any version, or of any from one on, be of the latest: only of that it is certain that the
// caller's rights, which are read before, have been the same from then on. See eras.
func (q *query) latest() {
	exact := q.match == "Exact" || q.match == "" && q.limit > 0 && q.version != "0"
	if _, err := strconv.ParseUint(q.version, 10, 64); err == nil && !exact {
		q.version, q.match = "", ""
	}
}

// truthy is Kubernetes' reading of a boolean parameter.
func truthy(all url.Values, key string) bool {
	v := all.Get(key)
	return all.Has(key) && v != "0" && !strings.EqualFold(v, "false")
}

// and joins two selectors.
func and(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "," + b
}
