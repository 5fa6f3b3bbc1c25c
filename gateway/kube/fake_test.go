package kube

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
)

// server is as much of kube-apiserver as listing and watching needs: every change has a version, a watch gets what
// happened after the version it asks for, or 410 if that has been forgotten.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	changed *sync.Cond
	version int
	oldest  int                          // events up to this version are forgotten
	objects map[string]map[string]string // path, key: JSON
	log     []change
	closed  bool
	cut     int             // watches begun before this generation end
	down    bool            // everything is answered 503
	missing map[string]bool // paths that are answered 404
	asked   []string        // method, path and query of each request
	accepts map[string]string
}

type change struct {
	version           int
	path, kind, value string
}

func newServer(t *testing.T) *server {
	s := &server{objects: map[string]map[string]string{}, missing: map[string]bool{}, accepts: map[string]string{}, version: 1}
	s.changed = sync.NewCond(&s.mu)
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		s.do(func() { s.closed = true })
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *server) config() *rest.Config {
	return &rest.Config{Host: s.URL, BearerToken: "of the gateway"}
}

// do changes the server's state.
func (s *server) do(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.changed.Broadcast()
}

// put creates or changes an object: metadata is its name, or namespace/name, and then labels as k=v; rest is JSON. It returns
// the object's version.
func (s *server) put(path, key, labels, rest string) (version string) {
	s.do(func() {
		s.version++
		version = strconv.Itoa(s.version)
		meta := map[string]any{"name": key, "resourceVersion": strconv.Itoa(s.version), "uid": "uid-" + key, "managedFields": []any{map[string]any{"manager": "x"}}}
		if ns, name, ok := strings.Cut(key, "/"); ok {
			meta["namespace"], meta["name"] = ns, name
		}
		if k, v, ok := strings.Cut(labels, "="); ok {
			meta["labels"] = map[string]string{k: v}
		}
		m, _ := json.Marshal(meta)
		text := `{"apiVersion":"x/v1","metadata":` + string(m)
		if rest != "" {
			text += "," + rest
		}
		text += "}"
		if s.objects[path] == nil {
			s.objects[path] = map[string]string{}
		}
		kind := "MODIFIED"
		if s.objects[path][key] == "" {
			kind = "ADDED"
		}
		s.objects[path][key] = text
		s.log = append(s.log, change{s.version, path, kind, text})
	})
	return version
}

func (s *server) remove(path, key string) {
	s.do(func() {
		s.version++
		text := strings.Replace(s.objects[path][key], `"resourceVersion":"`, `"resourceVersion":"`+strconv.Itoa(s.version)+`","was":"`, 1)
		delete(s.objects[path], key)
		s.log = append(s.log, change{s.version, path, "DELETED", text})
	})
}

func (s *server) requests(prefix string) (n int) {
	s.do(func() {
		for _, r := range s.asked {
			if strings.HasPrefix(r, prefix) {
				n++
			}
		}
	})
	return n
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := "list "
	if r.URL.Query().Has("watch") {
		kind = "watch "
	}
	s.asked = append(s.asked, kind+r.URL.RequestURI())
	s.accepts[kind+r.URL.Path] = r.Header.Get("Accept")
	switch {
	case r.Header.Get("Authorization") != "Bearer of the gateway":
		refuse(w, 401, "who are you")
	case s.down:
		refuse(w, 503, "not now")
	case s.missing[r.URL.Path]:
		refuse(w, 404, "the server could not find the requested resource")
	case kind == "watch ":
		s.watch(w, r)
	default:
		s.list(w, r)
	}
}

func refuse(w http.ResponseWriter, code int, message string) {
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","message":%q,"code":%d}`, message, code)
}

// list answers a page: items sorted by key, going on behind the key that continue names.
func (s *server) list(w http.ResponseWriter, r *http.Request) {
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	var keys []string
	for key := range s.objects[r.URL.Path] {
		if key > r.URL.Query().Get("continue") {
			keys = append(keys, key)
		}
	}
	sort.Strings(keys)
	next := ""
	if limit > 0 && len(keys) > limit {
		keys = keys[:limit]
		next = keys[limit-1]
	}
	var items []string
	for _, key := range keys {
		items = append(items, s.objects[r.URL.Path][key])
	}
	fmt.Fprintf(w, `{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"%d","continue":%q},"items":[%s]}`, s.version, next, strings.Join(items, ","))
}

func (s *server) watch(w http.ResponseWriter, r *http.Request) {
	from, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	w.(http.Flusher).Flush()
	begun := s.cut
	for !s.closed && s.cut == begun && r.Context().Err() == nil {
		if from < s.oldest {
			fmt.Fprintln(w, `{"type":"ERROR","object":{"kind":"Status","status":"Failure","code":410,"message":"too old"}}`)
			return
		}
		for _, c := range s.log {
			if c.version > from && c.path == r.URL.Path {
				fmt.Fprintf(w, `{"type":%q,"object":%s}`+"\n", c.kind, c.value)
			}
		}
		if s.version > from {
			from = s.version
			fmt.Fprintf(w, `{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"%d"}}}`+"\n", from)
			w.(http.Flusher).Flush()
		}
		s.changed.Wait()
	}
}

// path is where a kind is: users, roles, namespaces.
func path(kind string) string {
	switch kind {
	case "namespaces":
		return "/api/v1/" + kind
	case "roles", "rolebindings", "clusterroles", "clusterrolebindings":
		return rbac + kind
	}
	return iam + kind
}
