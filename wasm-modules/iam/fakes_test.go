package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/gateway/module/service/kube"
	"github.com/posternhq/postern/gateway/module/service/query"
	"github.com/posternhq/postern/hostabi"
)

// world is a cluster of the tests' own with what the gateway adds to it: rights, passwords, sessions.
type world struct {
	logins  int // of a user, each noted just before the user is written
	mu      sync.Mutex
	version int
	objects map[string][]object // by resource, oldest first
	// failing are calls that fail once: "create rolebindings" and the like, after so many that do not.
	failing map[string]int
	ended   []string      // users whose sessions have ended
	asked   []string      // writes, in order
	real    *kube.Service // instead of objects, when there are many
}

// key is a resource with the group left out: no two kinds of this test share one.
func (w *world) find(resource, namespace, name string) int {
	return slices.IndexFunc(w.objects[resource], func(o object) bool { return o.namespace() == namespace && o.name() == name })
}

// add puts an object there, as somebody else made it.
func (w *world) add(k *kind, text string) {
	var o object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		panic(fmt.Sprintf("%v in %s", err, text))
	}
	w.store(k.resource, o)
}

func (w *world) store(resource string, o object) object {
	w.version++
	o.set(fmt.Sprintf("uid-%d", w.version), "metadata", "uid")
	o.set(fmt.Sprint(w.version), "metadata", "resourceVersion")
	o.set(fmt.Sprintf("2026-01-01T00:%02d:%02dZ", w.version/60, w.version%60), "metadata", "creationTimestamp")
	w.objects[resource] = append(w.objects[resource], o)
	return o
}

// names are those of a resource's objects, sorted, with their namespaces.
func (w *world) names(k *kind) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var names []string
	for _, o := range w.objects[k.resource] {
		names = append(names, strings.TrimPrefix(o.namespace()+"/"+o.name(), "/"))
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// object is a copy of one.
func (w *world) object(k *kind, namespace, name string) object {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.find(k.resource, namespace, name)
	if i < 0 {
		return nil
	}
	return w.objects[k.resource][i].clone()
}

// kubeService is Kubernetes' side of the world.
type kubeService struct{ b *bench }

// Do implements service.Service.
func (k kubeService) Do(_ context.Context, call *service.Call) service.Result {
	w := k.b.world
	w.mu.Lock()
	defer w.mu.Unlock()
	get := func(tag hostabi.Tag) string { return string(call.Record.Get(tag)) }
	operation, resource := get(hostabi.TagOperation), get(hostabi.TagResource)
	if get(hostabi.TagAs) != "module" {
		return service.Failf(hostabi.Denied, "asked as the caller")
	}
	if operation != "get" && operation != "list" {
		what := operation + " " + resource
		if left, ok := w.failing[what]; ok {
			if left <= 0 {
				delete(w.failing, what)
				return service.Failf(hostabi.Unavailable, "the test has this fail")
			}
			w.failing[what]--
		}
		w.asked = append(w.asked, what)
	}
	namespace, name := get(hostabi.TagNamespace), get(hostabi.TagName)
	if operation == "list" {
		return w.list(resource, namespace, get(hostabi.TagLabelSelector))
	}
	if operation == "create" {
		return w.create(resource, namespace, call.Payload())
	}
	i := w.find(resource, namespace, name)
	if i < 0 {
		return service.Result{Code: hostabi.NotFound, Status: 404, Err: "not found"}
	}
	switch operation {
	case "update":
		var o object
		_ = json.Unmarshal(call.Payload(), &o)
		old := w.objects[resource][i]
		if resource == "users" && w.logins > 0 { // the gateway is faster
			w.logins--
			w.version++
			old.set(fmt.Sprint(w.version), "metadata", "resourceVersion")
			old.set("2026-01-01T00:00:07Z", "status", "lastLoginTime")
		}
		if o.text("metadata", "resourceVersion") != old.text("metadata", "resourceVersion") {
			return service.Result{Code: hostabi.Conflict, Status: 409, Err: "the object has been modified"}
		}
		w.version++
		o.set(fmt.Sprint(w.version), "metadata", "resourceVersion")
		o.set(old.at("metadata", "uid"), "metadata", "uid")
		o.set(old.at("metadata", "creationTimestamp"), "metadata", "creationTimestamp")
		w.objects[resource][i] = o
	case "delete":
		gone := w.objects[resource][i]
		w.objects[resource] = slices.Delete(w.objects[resource], i, i+1)
		return service.Result{Status: 200, Body: gone.encode()}
	}
	return service.Result{Status: 200, Body: w.objects[resource][i].encode()}
}

func (w *world) create(resource, namespace string, payload []byte) service.Result {
	var o object
	_ = json.Unmarshal(payload, &o)
	if namespace != "" {
		o.set(namespace, "metadata", "namespace")
	}
	if o.name() == "" {
		o.set(fmt.Sprintf("%s%d", o.text("metadata", "generateName"), w.version), "metadata", "name")
	}
	if w.find(resource, namespace, o.name()) >= 0 {
		return service.Result{Code: hostabi.Conflict, Status: 409, Err: resource + " " + o.name() + " already exists"}
	}
	return service.Result{Status: 201, Body: w.store(resource, o).encode()}
}

func (w *world) list(resource, namespace, selector string) service.Result {
	items := []any{}
	for _, o := range w.objects[resource] {
		if (namespace == "" || o.namespace() == namespace) && selects(selector, o) {
			items = append(items, map[string]any(o))
		}
	}
	return service.Result{Status: 200, Body: object{"items": items}.encode()}
}

// selects knows a=b and !a, joined by commas.
func selects(selector string, o object) bool {
	for part := range strings.SplitSeq(selector, ",") {
		key, value, equals := strings.Cut(part, "=")
		_, has := o.at("metadata", "labels", strings.TrimPrefix(key, "!")).(string)
		switch {
		case part == "":
		case equals && o.label(key) != value, strings.HasPrefix(key, "!") && has:
			return false
		}
	}
	return true
}

// Rows implements query.Lister.
func (k kubeService) Rows(ctx context.Context, call *service.Call) (query.List, service.Result) {
	if k.b.world.real != nil {
		return k.b.world.real.Rows(ctx, call)
	}
	r := k.Do(ctx, call)
	if r.Code != hostabi.OK {
		return query.List{}, r
	}
	rows, err := query.RowsOf(r.Body)
	if err != nil {
		return query.List{}, service.Failf(hostabi.Internal, "%v", err)
	}
	return query.List{Rows: rows}, service.Result{}
}

// rule is a policy rule.
type rule struct {
	Verbs, APIGroups, Resources, ResourceNames, NonResourceURLs []string
}

// right is a rule somewhere: "" is everywhere, demo a workspace with its namespace demo-shop, demo-shop that namespace only.
type right struct {
	where string
	rule  rule
}

// rights is who may do what. Bob may invite people to the workspace, and no more; ursula manages users; boris may bind any
// role of the platform, which he does not have.
var rights = map[string][]right{
	"admin":  {{"", rule{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}}, {"", rule{Verbs: []string{"*"}, NonResourceURLs: []string{"*"}}}},
	"alice":  {{"demo", rule{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}}},
	"bob":    {{"demo", rule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}},
	"ursula": {{"", rule{Verbs: []string{"*"}, APIGroups: []string{"iam.kubesphere.io"}, Resources: []string{"users", "users/password"}}}},
	"boris":  {{"", rule{Verbs: []string{"bind"}, APIGroups: []string{"iam.kubesphere.io"}, Resources: []string{"globalroles"}}}},
	"otto":   {{"", rule{Verbs: []string{"update"}, APIGroups: []string{"iam.kubesphere.io"}, Resources: []string{"users/password"}, ResourceNames: []string{"otto"}}}},
}

func (r *rule) covers(o *rule) bool {
	return all(r.Verbs, o.Verbs) && all(r.APIGroups, o.APIGroups) && all(r.Resources, o.Resources) && all(r.NonResourceURLs, o.NonResourceURLs) &&
		(len(r.ResourceNames) == 0 || len(o.ResourceNames) > 0 && all(r.ResourceNames, o.ResourceNames))
}

func all(have, want []string) bool {
	return !slices.ContainsFunc(want, func(s string) bool { return !slices.Contains(have, s) && !slices.Contains(have, "*") })
}

// may says whether a user has a rule at a place.
func may(user, scope, place string, want rule) bool {
	return slices.ContainsFunc(rights[user], func(r right) bool {
		reaches := r.where == "" || scope != "Global" && (r.where == place || r.where == "demo" && place == "demo-shop")
		return reaches && r.rule.covers(&want)
	})
}

// accessService decides by rights.
type accessService struct{}

// Do implements service.Service.
func (accessService) Do(_ context.Context, call *service.Call) service.Result {
	get := func(tag hostabi.Tag) string { return string(call.Record.Get(tag)) }
	place := get(hostabi.TagWorkspace) + get(hostabi.TagNamespace)
	user, scope := call.Caller.Name, get(hostabi.TagScope)
	if get(hostabi.TagOperation) == "missing" {
		var wanted []rule
		_ = json.Unmarshal(call.Payload(), &wanted)
		missing := slices.DeleteFunc(wanted, func(r rule) bool { return may(user, scope, place, r) })
		body, _ := json.Marshal(map[string]any{"count": len(missing), "missing": missing})
		return service.Result{Body: body}
	}
	resource := get(hostabi.TagResource)
	if sub := get(hostabi.TagSubresource); sub != "" {
		resource += "/" + sub
	}
	want := rule{Verbs: []string{get(hostabi.TagVerb)}, APIGroups: []string{get(hostabi.TagGroup)}, Resources: []string{resource}}
	if name := get(hostabi.TagName); name != "" {
		want.ResourceNames = []string{name}
	}
	body, _ := json.Marshal(map[string]any{"allowed": may(user, scope, place, want), "message": user + " may not"})
	return service.Result{Body: body}
}

// accountsService hashes by turning round, and knows when sessions end.
type accountsService struct{ b *bench }

// Do implements service.Service.
func (a accountsService) Do(_ context.Context, call *service.Call) service.Result {
	w := a.b.world
	w.mu.Lock()
	defer w.mu.Unlock()
	user, password := string(call.Record.Get(hostabi.TagUser)), string(call.Record.Get(hostabi.TagPassword))
	switch string(call.Record.Get(hostabi.TagOperation)) {
	case "hash":
		return service.Result{Body: []byte(hashed(password))}
	case "check":
		if password == "too often" {
			return service.Result{Code: hostabi.Unavailable, Status: 429, Err: "retry after 7 seconds"}
		}
		i := w.find("users", "", user)
		if i < 0 || w.objects["users"][i].text("spec", "password") != hashed(password) {
			return service.Result{Code: hostabi.Denied, Status: 401, Err: "wrong"}
		}
	case "end_sessions":
		w.ended = append(w.ended, user)
	}
	return service.Result{}
}

// secret is in every hash, and must be in no answer.
const secret = "$2a$"

func hashed(password string) string {
	b := []byte(password)
	slices.Reverse(b)
	return secret + string(b)
}
