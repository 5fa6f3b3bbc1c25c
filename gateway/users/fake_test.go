package users_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/posternhq/postern/gateway/account"
)

// cluster is as much of kube-apiserver as a writer needs, and the store that follows it.
type cluster struct {
	*httptest.Server
	mu      sync.Mutex
	objects map[string]map[string]any // by path
	version int
	down    bool
	read    chan struct{}
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{objects: map[string]map[string]any{}, read: make(chan struct{})}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *cluster) config() *rest.Config { return &rest.Config{Host: c.URL} }

func (c *cluster) UsersRead() <-chan struct{} { return c.read }

func (c *cluster) Users() int { return len(c.names("users")) }

func (c *cluster) Account(name string) *account.Account {
	o := c.get("users/" + name)
	if o == nil {
		return nil
	}
	spec, _ := o["spec"].(map[string]any)
	stored, _ := spec["groups"].([]any)
	var groups []string
	for _, g := range stored {
		groups = append(groups, g.(string))
	}
	return &account.Account{Name: name, State: text(o, "status", "state"), PasswordHash: text(o, "spec", "password"), Groups: groups}
}

// text is a field of an object, empty if it is not there.
func text(o map[string]any, path ...string) string {
	for _, key := range path[:len(path)-1] {
		o, _ = o[key].(map[string]any)
	}
	return fmt.Sprint(first(o[path[len(path)-1]], ""))
}

func first(v, otherwise any) any {
	if v == nil {
		return otherwise
	}
	return v
}

const prefix = "/apis/iam.kubesphere.io/v1alpha2/"

func (c *cluster) get(path string) map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.objects[prefix+path]
}

// names are those of all objects of a kind, sorted.
func (c *cluster) names(kind string) (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for path := range c.objects {
		if name, ok := strings.CutPrefix(path, prefix+kind+"/"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (c *cluster) put(path string, o map[string]any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.store(path, o)
}

func (c *cluster) store(path string, o map[string]any) {
	c.version++
	meta, _ := o["metadata"].(map[string]any)
	meta = maps.Clone(meta)
	if meta == nil {
		meta = map[string]any{}
	}
	o["metadata"] = meta
	meta["resourceVersion"] = strconv.Itoa(c.version)
	if meta["creationTimestamp"] == nil {
		meta["creationTimestamp"] = time.Now().UTC().Format(time.RFC3339)
	}
	c.objects[path] = o
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	var o map[string]any
	_ = json.Unmarshal(body, &o)
	path := r.URL.Path
	answer := func(code int, v any) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(v)
	}
	refuse := func(code int) { answer(code, map[string]any{"message": http.StatusText(code)}) }
	old := c.objects[path]
	switch {
	case c.down:
		refuse(503)
	case r.Method == "POST":
		path += "/" + text(o, "metadata", "name")
		if c.objects[path] != nil {
			refuse(409)
			return
		}
		c.store(path, o)
		answer(201, o)
	case r.Method == "GET" && r.URL.Query().Has("limit"):
		c.list(r, answer)
	case old == nil:
		refuse(404)
	case r.Method == "PATCH":
		if v := text(o, "metadata", "resourceVersion"); v != "" && v != text(old, "metadata", "resourceVersion") {
			refuse(409)
			return
		}
		c.store(path, merge(old, o))
		answer(200, c.objects[path])
	case r.Method == "DELETE":
		delete(c.objects, path)
		answer(200, old)
	default:
		answer(200, old)
	}
}

// list answers pages of two.
func (c *cluster) list(r *http.Request, answer func(int, any)) {
	var paths []string
	for path := range c.objects {
		if strings.HasPrefix(path, r.URL.Path+"/") && path > r.URL.Query().Get("continue") {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	next := ""
	if len(paths) > 2 {
		paths, next = paths[:2], paths[1]
	}
	items := []any{}
	for _, p := range paths {
		items = append(items, c.objects[p])
	}
	answer(200, map[string]any{"metadata": map[string]any{"continue": next}, "items": items})
}

// merge is a merge patch (RFC 7396) without deletions. It changes neither: who has read an object keeps what it was.
func merge(base, over map[string]any) map[string]any {
	merged := maps.Clone(base)
	for key, value := range over {
		inner, ok1 := base[key].(map[string]any)
		outer, ok2 := value.(map[string]any)
		if ok1 && ok2 {
			value = merge(inner, outer)
		}
		merged[key] = value
	}
	return merged
}
