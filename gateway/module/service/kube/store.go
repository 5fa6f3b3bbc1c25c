package kube

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/fields"

	"github.com/posternhq/postern/gateway/module/data"
	"github.com/posternhq/postern/gateway/module/service/query"
)

// store keeps the objects of one resource as stripped raw JSON without kind and apiVersion. Its owner bounds it.
type store struct {
	mu         sync.RWMutex
	objects    map[string][]byte // by namespace/name; the bytes are never written to; nil: there is nothing to read
	table      *query.Table      // of objects, for questions to the list; nil: nobody has asked yet
	order      []string          // the keys, sorted; nil after one came or went
	bytes      int64
	kind       string // of one object
	apiVersion string
	inItems    bool // a list's items repeat kind and apiVersion, as those of custom resources do
	version    string
}

// objectKey is an object's place in etcd's order.
func objectKey(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

// identify is the key of a raw object.
func identify(raw []byte) (string, error) {
	name := text(raw, "/metadata/name")
	if name == "" {
		return "", fmt.Errorf("cannot use an object without a name: %.80q", raw)
	}
	return objectKey(text(raw, "/metadata/namespace"), name), nil
}

// text is the text at a pointer; empty if there is none.
func text(raw []byte, pointer string) string {
	v, ok := data.Get(raw, pointer)
	if !ok {
		return ""
	}
	t, _ := data.Text(v)
	return string(t)
}

// shrinker makes an object what is kept of it.
var shrinker = func() *data.Program {
	p, err := data.Compile([]byte(`[{"remove":["/kind","/apiVersion","/metadata/managedFields",
		"/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"]}]`))
	if err != nil {
		panic(err) // a constant
	}
	return p
}()

// shrink is raw as it is kept: memory of its own.
func shrink(raw []byte) ([]byte, error) {
	return shrinker.Run(nil, raw, int64(len(raw)))
}

// put keeps an object, shrunk.
func (s *store) put(k string, raw []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, known := s.objects[k]
	if !known {
		s.order = nil
	}
	s.objects[k] = raw
	if s.table != nil {
		s.table.Put(k, raw)
	}
	s.bytes += int64(len(raw) - len(old))
}

func (s *store) remove(k string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, known := s.objects[k]
	if !known {
		return
	}
	delete(s.objects, k)
	if s.table != nil {
		s.table.Remove(k)
	}
	s.bytes -= int64(len(old))
	s.order = nil
}

// replace takes over what another store holds.
func (s *store) replace(with *store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects, s.order, s.bytes, s.version = with.objects, nil, with.bytes, with.version
	s.table = nil
	s.kind, s.apiVersion, s.inItems = with.kind, with.apiVersion, with.inItems
}

func (s *store) empty() { s.replace(&store{}) }

// at is the version that a watch goes on from.
func (s *store) at() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.version
}

func (s *store) setVersion(v string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version = v
}

func (s *store) size() (objects int, bytes int64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.objects), s.bytes
}

// get is an object with kind and apiVersion; nil if it does not exist, false if there is nothing to read.
func (s *store) get(namespace, name string) (object []byte, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if raw := s.objects[objectKey(namespace, name)]; raw != nil {
		object = s.appendTyped(nil, raw)
	}
	return object, s.objects != nil
}

// quote is s as JSON.
func quote(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string
	}
	return b
}

// appendTyped appends an object with kind and apiVersion.
func (s *store) appendTyped(b, raw []byte) []byte {
	b = fmt.Appendf(b, `{"kind":%s,"apiVersion":%s`, quote(s.kind), quote(s.apiVersion))
	if inner := bytes.TrimLeft(raw[1:], " \n\t\r"); inner[0] != '}' {
		b = append(b, ',')
	}
	return append(b, raw[1:]...)
}

// sort brings the keys into etcd's order.
func (s *store) sort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.order == nil {
		s.order = slices.Sorted(maps.Keys(s.objects))
	}
}

// list is the list of the objects that are selected, as much of it as is needed to see that it has more than most bytes;
// false if there is nothing to read.
func (s *store) list(namespace string, sel *selector, most int64) (list []byte, ok bool) {
	s.sort()
	s.mu.RLock()
	defer s.mu.RUnlock()
	order := s.order
	if order == nil { // somebody was faster
		order = slices.Sorted(maps.Keys(s.objects))
	}
	b := fmt.Appendf(nil, `{"kind":%s,"apiVersion":%s,"metadata":{"resourceVersion":%s},"items":[`, quote(s.kind+"List"), quote(s.apiVersion), quote(s.version))
	first := true
	for _, k := range order {
		raw := s.objects[k]
		if namespace != "" && !strings.HasPrefix(k, namespace+"/") || !sel.matches(k, raw) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		if s.inItems {
			b = s.appendTyped(b, raw)
		} else {
			b = append(b, raw...)
		}
		if int64(len(b)) > most {
			break
		}
	}
	return append(b, ']', '}'), s.objects != nil
}

// matches says whether an object is selected.
func (sel *selector) matches(k string, raw []byte) bool {
	namespace, name, namespaced := strings.Cut(k, "/")
	if !namespaced {
		namespace, name = "", k
	}
	var of query.Labels
	if !sel.labels.Empty() {
		of = query.LabelsOf(raw)
	}
	return sel.selects(namespace, name, of)
}

func (sel *selector) selects(namespace, name string, of query.Labels) bool {
	if !sel.fields.Empty() && !sel.fields.Matches(fields.Set{"metadata.name": name, "metadata.namespace": namespace}) {
		return false
	}
	return sel.labels.Empty() || sel.labels.Matches(of)
}

// notFound is kube-apiserver's answer for an object that does not exist.
func notFound(req *request) []byte {
	what := req.resource
	if req.group != "" {
		what += "." + req.group
	}
	body, err := json.Marshal(map[string]any{
		"kind": "Status", "apiVersion": "v1", "metadata": struct{}{}, "status": "Failure", "reason": "NotFound", "code": 404,
		"message": fmt.Sprintf("%s %q not found", what, req.name),
		"details": map[string]string{"name": req.name, "group": req.group, "kind": req.resource},
	})
	if err != nil {
		panic(err) // strings only
	}
	return body
}
