package visible

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/posternhq/postern/gateway/exchange"
)

// change is one event of a scripted cluster.
type change struct {
	version                              int
	kind                                 string // ADDED, MODIFIED, DELETED
	resource, namespace, name, workspace string // workspace is its label
}

func (c change) key() string { return c.namespace + "/" + c.name }

// cluster is as much of kube-apiserver as lists and watches need: versions, pages, selectors of name and workspace, Tables.
type cluster struct {
	mu       sync.Mutex
	history  []change
	moved    chan struct{} // closed with the next change
	asked    []string
	compact  int               // versions before are forgotten
	refuse   map[string]string // by path: `code Retry-After`, once each
	sorted   bool              // metadata behind the objects, as for custom resources
	metadata bool              // false: pods and namespaces; true: nothing has a version
}

func newCluster() *cluster {
	return &cluster{moved: make(chan struct{}), refuse: map[string]string{}, history: []change{{version: 100, kind: "none"}}}
}

// do adds a change and is its version.
func (c *cluster) do(kind, resource, namespace, name, workspace string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.history[len(c.history)-1].version + 1
	c.history = append(c.history, change{version: v, kind: kind, resource: resource, namespace: namespace, name: name, workspace: workspace})
	close(c.moved)
	c.moved = make(chan struct{})
	return v
}

func (c *cluster) now() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.history[len(c.history)-1].version
}

// questions are the targets that were asked for since the last call.
func (c *cluster) questions() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.asked
	c.asked = nil
	return all
}

// Serve is Options.Upstream.
func (c *cluster) Serve(x *exchange.Exchange) {
	target := string(x.HTTP.Request.Header.RequestURI())
	path, raw, _ := strings.Cut(target, "?")
	q, _ := url.ParseQuery(raw)
	c.mu.Lock()
	c.asked = append(c.asked, target)
	refusal := c.refuse[path]
	delete(c.refuse, path)
	c.mu.Unlock()
	if x.User == nil || x.User.Name == "" {
		panic("nobody asks")
	}
	switch {
	case refusal != "":
		code, after, _ := strings.Cut(refusal, " ")
		n, _ := strconv.Atoi(code)
		c.status(x, n, "refused")
		x.HTTP.Response.Header.Set("Retry-After", after)
	case path == "/api/v1":
		x.HTTP.SetBodyString(`{"kind":"APIResourceList","resources":[{"name":"pods","namespaced":true},{"name":"pods/log","namespaced":true},{"name":"namespaces"},{"name":"nodes"}]}`)
	case q.Has("watch"):
		c.watch(x, path, q)
	default:
		c.list(x, path, q)
	}
}

func (c *cluster) status(x *exchange.Exchange, code int, reason string) {
	x.HTTP.SetStatusCode(code)
	x.HTTP.SetContentType("application/json")
	x.HTTP.SetBodyString(fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","metadata":{"continue":"leak"},"status":"Failure","reason":%q,"code":%d}`, reason, code))
}

// matches says whether a change is of what is asked for.
func matches(e change, path string, q url.Values) bool {
	parts := strings.Split(strings.TrimPrefix(path, "/api/v1/"), "/")
	resource := parts[len(parts)-1]
	if e.resource != resource || len(parts) == 3 && e.namespace != parts[1] {
		return false
	}
	for field := range strings.SplitSeq(q.Get("fieldSelector"), ",") {
		if name, ok := strings.CutPrefix(field, "metadata.name="); ok && name != e.name {
			return false
		}
	}
	if l := q.Get("labelSelector"); strings.HasPrefix(l, workspaceLabel+" in (") {
		list, _, _ := strings.Cut(strings.TrimPrefix(l, workspaceLabel+" in ("), ")")
		return slices.Contains(strings.Split(list, ","), e.workspace)
	}
	return true
}

// state is what there is at version, in etcd's order.
func (c *cluster) state(path string, q url.Values, version int) []change {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]change{}
	for _, e := range c.history {
		switch {
		case e.version > version || !matches(e, path, q):
		case e.kind == "DELETED":
			delete(all, e.key())
		default:
			all[e.key()] = e
		}
	}
	list := make([]change, 0, len(all))
	for _, e := range all {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b change) int { return cmp.Compare(a.key(), b.key()) })
	return list
}

func (c *cluster) list(x *exchange.Exchange, path string, q url.Values) {
	version, after := c.now(), ""
	if v, _ := strconv.Atoi(q.Get("resourceVersion")); v > 0 && q.Get("resourceVersionMatch") == "Exact" {
		version = v
	}
	if token := q.Get("continue"); token != "" {
		b, _ := base64.RawURLEncoding.DecodeString(token)
		v, rest, _ := strings.Cut(string(b), " ")
		version, _ = strconv.Atoi(v)
		after = rest
	}
	if version < c.compact {
		c.status(x, 410, "Expired")
		return
	}
	all := c.state(path, q, version)
	all = slices.DeleteFunc(all, func(e change) bool { return e.key() <= after })
	next, rest := "", len(all)
	if limit, _ := strconv.Atoi(q.Get("limit")); limit > 0 && len(all) > limit {
		all = all[:limit]
		next = base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf("%d %s", version, all[limit-1].key())))
	}
	x.HTTP.SetContentType("application/json")
	x.HTTP.SetBodyString(c.encode(string(x.HTTP.Request.Header.Peek("Accept")), all, version, next, rest))
}

// encode is a list, or a Table.
func (c *cluster) encode(accept string, all []change, version int, next string, count int) string {
	meta := fmt.Sprintf(`{"resourceVersion":"%d","continue":%q,"remainingItemCount":%d}`, version, next, count-len(all))
	if c.metadata {
		meta = `{}`
	}
	var items []string
	for _, e := range all {
		items = append(items, e.encode(accept))
	}
	list := strings.Join(items, ",")
	switch {
	case strings.Contains(accept, "as=Table"):
		return `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":` + meta + `,"columnDefinitions":[{"name":"Name"}],"rows":[` + list + `]}`
	case c.sorted:
		return `{"apiVersion":"v1","items":[` + list + `],"kind":"List","metadata":` + meta + `}`
	case len(items) == 0:
		return `{"kind":"List","apiVersion":"v1","metadata":` + meta + `,"items":null}`
	}
	return `{"kind":"List","apiVersion":"v1","metadata":` + meta + `,"items":[` + list + `]}`
}

// encode is the object, or a Table's row.
func (e change) encode(accept string) string {
	labels := ""
	if e.workspace != "" {
		labels = fmt.Sprintf(`,"labels":{"a":"}\\\"]","%s":%q}`, workspaceLabel, e.workspace)
	}
	ns := ""
	if e.namespace != "" {
		ns = fmt.Sprintf(`,"namespace":%q`, e.namespace)
	}
	object := fmt.Sprintf(`{"kind":"X","apiVersion":"v1","metadata":{"name":%q%s,"resourceVersion":"%d"%s},"spec":{"metadata":{"namespace":"other"},"text":"[{\""}}`, e.name, ns, e.version, labels)
	if strings.Contains(accept, "as=Table") {
		return fmt.Sprintf(`{"cells":[%q,{"metadata":{"namespace":"x"}}],"object":%s}`, e.name, object)
	}
	return object
}

// watch sends what happens behind a version, and a bookmark for every other change.
func (c *cluster) watch(x *exchange.Exchange, path string, q url.Values) {
	from, _ := strconv.Atoi(q.Get("resourceVersion"))
	if from > 0 && from < c.compact {
		c.status(x, 410, "Expired")
		return
	}
	accept := string(x.HTTP.Request.Header.Peek("Accept"))
	ctx := x.Context()
	out, in := io.Pipe()
	x.HTTP.SetContentType("application/json")
	x.StreamBody(out, -1)
	go func() {
		for at := from; ; {
			c.mu.Lock()
			var news []change
			for _, e := range c.history {
				if e.version > at {
					news = append(news, e)
				}
			}
			moved := c.moved
			c.mu.Unlock()
			for _, e := range news {
				at = e.version
				line := fmt.Sprintf("{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"X\",\"metadata\":{\"resourceVersion\":\"%d\"}}}\n", at)
				if matches(e, path, q) && e.kind != "none" {
					object := e.encode(accept)
					if strings.Contains(accept, "as=Table") {
						object = `{"kind":"Table","apiVersion":"meta.k8s.io/v1","columnDefinitions":[{"name":"rows"}],"rows":[` + object + `]}`
					}
					line = fmt.Sprintf("{\"type\":%q,\"object\":%s}\n", e.kind, object)
				}
				if _, err := io.WriteString(in, line); err != nil {
					return
				}
			}
			select {
			case <-moved:
			case <-ctx.Done():
				_ = in.CloseWithError(context.Canceled)
				return
			}
		}
	}()
}

// listed is a list as a client reads it.
type listed struct {
	Kind     string
	Metadata struct{ ResourceVersion, Continue, RemainingItemCount string }
	Columns  []struct{ Name string } `json:"columnDefinitions"`
	Items    []object
	Rows     []struct {
		Cells  []any
		Object object
	}
}

type object struct {
	Metadata struct{ Namespace, Name, ResourceVersion string }
}

func (l *listed) keys() (all []string) {
	for _, o := range l.Items {
		all = append(all, strings.TrimPrefix(o.Metadata.Namespace+"/"+o.Metadata.Name, "/"))
	}
	for _, r := range l.Rows {
		all = append(all, strings.TrimPrefix(r.Object.Metadata.Namespace+"/"+r.Object.Metadata.Name, "/"))
	}
	return all
}

func decode(t *testing.T, body string) *listed {
	t.Helper()
	l := new(listed)
	if err := json.Unmarshal([]byte(body), l); err != nil {
		t.Fatalf("cannot decode %s: %v", body, err)
	}
	return l
}
