package main

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// server is as much of kube-apiserver as following a platform needs: lists in pages, and watches of what is told. Its
// objects are made when it starts, as text.
type server struct {
	http *http.Server
	url  string

	mu      sync.Mutex
	lists   map[string][]string // by path
	version int
	events  map[string]chan string // of the watch under way, by path
}

// serve starts a server with a platform on loopback.
func serve(s size) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &server{url: "http://" + l.Addr().String(), lists: map[string][]string{}, events: map[string]chan string{}}
	for _, r := range []resource{namespaces, users, globalRoles, globalRoleBindings, workspaceRoles, workspaceRoleBindings, clusterRoles, clusterRoleBindings, roles, roleBindings} {
		f.lists[r.path("")] = nil
		f.events[r.path("")] = make(chan string, 16)
	}
	for o := range s.objects() {
		f.version++
		f.lists[o.of.path("")] = append(f.lists[o.of.path("")], o.json(stored(f.version)))
	}
	f.http = &http.Server{Handler: f, ReadHeaderTimeout: 10 * time.Second}
	go f.http.Serve(l) //nolint:errcheck // until it is closed
	return f, nil
}

func (f *server) close() { _ = f.http.Close() }

// tell has watches see that an object is there now.
func (f *server) tell(o object) {
	f.mu.Lock()
	f.version++
	text := fmt.Sprintf(`{"type":"MODIFIED","object":%s}`, o.json(stored(f.version)))
	f.mu.Unlock()
	f.events[o.of.path("")] <- text
}

func (f *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	list, known := f.lists[r.URL.Path]
	w.Header().Set("Content-Type", "application/json")
	switch {
	case !known || r.Method != http.MethodGet:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
	case r.URL.Query().Has("watch"):
		f.watch(w, r)
	default:
		f.page(w, r, list)
	}
}

// page answers as many objects as are asked for, from the number on that continue says.
func (f *server) page(w http.ResponseWriter, r *http.Request, list []string) {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit <= 0 {
		limit = len(list)
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("continue")) // 0 at the start
	from = min(from, len(list))
	to, next := min(from+limit, len(list)), ""
	if to < len(list) {
		next = strconv.Itoa(to)
	}
	f.mu.Lock()
	version := f.version
	f.mu.Unlock()
	fmt.Fprintf(w, `{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"%d","continue":%q},"items":[%s]}`, version, next, strings.Join(list[from:to], ","))
}

func (f *server) watch(w http.ResponseWriter, r *http.Request) {
	w.(http.Flusher).Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case text := <-f.events[r.URL.Path]:
			fmt.Fprintln(w, text)
			w.(http.Flusher).Flush()
		}
	}
}
