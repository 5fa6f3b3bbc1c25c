//go:build wasip1

package probe

import (
	"strings"

	"github.com/posternhq/postern/hostabi"
)

// things are a list that queries are put to.
const things = `{"items":[{"metadata":{"name":"a","creationTimestamp":"2024-01-01T00:00:00Z","labels":{"x":"1"}},"spec":{"tags":["t","u"],"secret":"s"}},` +
	`{"metadata":{"name":"b","creationTimestamp":"2024-01-02T00:00:00Z"}},{"metadata":{"name":"ab","creationTimestamp":"2024-01-03T00:00:00Z"}}]}`

// firstTwo makes a page the names of its first two objects, and the total.
const firstTwo = `[{"build":{"text":[{"either":["/items/0/metadata/name",{"const":"-"}]},{"either":["/items/1/metadata/name",{"const":"-"}]},"/totalItems"]}}]`

// queryService asks a list of its own, and one of Kubernetes.
func queryService(r *report) {
	list := number(int64(r.keep(things)))
	crooked(r, "kube query", kubeQuery)
	ask := func(query string, more ...any) hostabi.Record {
		return record(append([]any{hostabi.TagBodyHandle, list, hostabi.TagQuery, query, hostabi.TagDrop, "/spec/secret"}, more...)...)
	}
	names := func(what string, rec hostabi.Record, want string) {
		token := r.call(kubeQuery, rec)
		c := r.completed("kube query: "+what, token, hostabi.OK)
		at := put(firstTwo)
		made := jsonTransform(r.ex, c.Handle, at[0], uint32(len(firstTwo)))
		r.text("kube query: "+what+": its answer", r.handle(uint32(max(made, 0))), `"`+want+`"`)
	}
	names("nothing asked", ask(""), "abb3")
	names("a page", ask("limit=2&page=2"), "a-3")
	names("order", ask("sortBy=name&ascending=true"), "aab3")
	names("a name", ask("name=a"), "aba2")
	names("a label", ask("labelSelector=x%3D1"), "a-1")
	names("a filter of its own", ask("tag=u", hostabi.TagFilter, "tag\nexact\n/spec/tags"), "a-1")
	names("only some", ask("", hostabi.TagOnly, number(int64(r.keep(`["b","z"]`)))), "b-1")
	names("all but some", ask("", hostabi.TagExcept, number(int64(r.keep(`["b","z"]`)))), "aba2")
	names("only by what is in them", ask("", hostabi.TagBy, "/spec/tags", hostabi.TagOnly, number(int64(r.keep(`["u"]`)))), "a-1")
	names("none with what is in them", ask("", hostabi.TagBy, "/spec/tags", hostabi.TagExcept, number(int64(r.keep(`["u"]`)))), "abb2")
	unknown := r.call(kubeQuery, ask("zzz=1&mine=2", hostabi.TagKnown, "mine"))
	c := r.completed("kube query of an unknown key", unknown, hostabi.OK)
	r.yes("error_of warns of it", strings.Contains(text(errorOf(r.ex, uint32(unknown), outAt(), uint32(len(out)))), "zzz"))
	r.yes("what is dropped is not there", !strings.Contains(r.handle(c.Handle), "secret"))
	for _, bad := range []string{"page=0", "limit=x", "ascending=x", "labelSelector=%3D%3D", "%zz"} {
		r.completed("kube query of "+bad, r.call(kubeQuery, ask(bad)), hostabi.BadArgument)
	}
	r.completed("kube query of a list that is none", r.call(kubeQuery, record(hostabi.TagBodyHandle, number(int64(r.keep(`{}`))))), hostabi.BadArgument)
	r.completed("kube query with a filter that is none", r.call(kubeQuery, ask("", hostabi.TagFilter, "tag")), hostabi.BadArgument)
	r.code("kube query of no handle of names", r.call(kubeQuery, ask("", hostabi.TagOnly, "4711")), hostabi.NotFound)
	r.code("kube query of names that are no number", r.call(kubeQuery, ask("", hostabi.TagExcept, "x")), hostabi.BadArgument)
	namespaces := func(more ...any) hostabi.Record {
		return record(append([]any{hostabi.TagVersion, "v1", hostabi.TagResource, "namespaces", hostabi.TagQuery, "names=default"}, more...)...)
	}
	names("namespaces as the caller", namespaces(), "default-1")
	names("namespaces as the module, of the cache", namespaces(hostabi.TagAs, "module", hostabi.TagSource, "cache"), "default-1")
	r.completed("kube query of what was not granted", r.call(kubeQuery, record(hostabi.TagVersion, "v1", hostabi.TagResource, "secrets")), hostabi.Denied)
}

// accessService asks what the caller may, who must be allowed to read namespaces.
func accessService(r *report) {
	crooked(r, "access call", accessCall, hostabi.TagOperation, "may", hostabi.TagVerb, "list", hostabi.TagResource, "namespaces")
	value := func(what string, rec hostabi.Record, pointer, want string) {
		c := r.completed("access: "+what, r.call(accessCall, rec), hostabi.OK)
		at := put(pointer)
		r.text("access: "+what+": its answer", text(jsonGet(r.ex, c.Handle, at[0], uint32(len(pointer)), outAt(), uint32(len(out)))), want)
	}
	may := func(more ...any) hostabi.Record {
		return record(append([]any{hostabi.TagOperation, "may"}, more...)...)
	}
	value("what the caller may", may(hostabi.TagVerb, "list", hostabi.TagResource, "namespaces"), "/allowed", "true")
	nobody := []any{hostabi.TagUser, "tck-nobody", hostabi.TagUserGroup, "tck-nobodies", hostabi.TagVerb, "delete", hostabi.TagResource, "nodes"}
	value("what nobody may", may(nobody...), "/allowed", "false")
	value("what 403 would say", may(nobody...), "/message", `nodes is forbidden: User "tck-nobody" cannot delete resource "nodes" in API group "" at the cluster scope`)
	value("an open path", may(hostabi.TagVerb, "get", hostabi.TagPath, "/healthz"), "/allowed", "true")
	r.completed("access: a user that does not exist", r.call(accessCall, may(hostabi.TagUser, "tck-nobody", hostabi.TagVerb, "get", hostabi.TagResource, "nodes")), hostabi.NotFound)
	r.completed("access: no verb", r.call(accessCall, may(hostabi.TagResource, "nodes")), hostabi.BadArgument)
	r.completed("access: no resource", r.call(accessCall, may(hostabi.TagVerb, "get")), hostabi.BadArgument)
	r.completed("access: a scope that is none", r.call(accessCall, may(hostabi.TagVerb, "get", hostabi.TagResource, "nodes", hostabi.TagScope, "World")), hostabi.BadArgument)
	r.completed("access: an operation that is none", r.call(accessCall, record(hostabi.TagOperation, "grant")), hostabi.BadArgument)
	r.completed("access: namespaces", r.call(accessCall, record(hostabi.TagOperation, "namespaces", hostabi.TagVerb, "list", hostabi.TagResource, "pods")), hostabi.OK)
	value("namespaces of nobody", record(append([]any{hostabi.TagOperation, "namespaces"}, nobody...)...), "/all", "false")
	missing := func(rules string) hostabi.Record {
		return record(hostabi.TagOperation, "missing", hostabi.TagBody, rules)
	}
	value("no rules to give", missing(`[]`), "/count", "0")
	value("a rule that the caller has", missing(`[{"verbs":["list"],"apiGroups":[""],"resources":["namespaces"]}]`), "/count", "0")
	r.completed("access: rules that are none", r.call(accessCall, missing(`{}`)), hostabi.BadArgument)
	r.completed("access: a role that does not exist", r.call(accessCall, record(hostabi.TagOperation, "missing", hostabi.TagKind, "ClusterRole", hostabi.TagName, "tck-is-not-there")), hostabi.NotFound)
}

// accountsService works with the password of nobody.
func accountsService(r *report) {
	crooked(r, "accounts call", accountsCall, hostabi.TagOperation, "hash", hostabi.TagPassword, "x")
	call := func(operation string, more ...any) int32 {
		return r.call(accountsCall, record(append([]any{hostabi.TagOperation, operation}, more...)...))
	}
	c := r.completed("accounts: hash", call("hash", hostabi.TagPassword, "correct horse"), hostabi.OK)
	hash := r.handle(c.Handle)
	r.yes("it is one of bcrypt", len(hash) == 60 && strings.HasPrefix(hash, "$2"))
	r.completed("accounts: hash of nothing", call("hash"), hostabi.BadArgument)
	r.completed("accounts: hash of what bcrypt would cut", call("hash", hostabi.TagPassword, strings.Repeat("x", 73)), hostabi.BadArgument)
	c = r.completed("accounts: nobody's password", call("check", hostabi.TagUser, "tck-nobody", hostabi.TagPassword, "x"), hostabi.Denied)
	r.is("its status", int64(c.Status), 401)
	r.completed("accounts: the end of nobody's sessions", call("end_sessions", hostabi.TagUser, "tck-nobody", hostabi.TagKeep, "caller"), hostabi.OK)
	r.completed("accounts: the end of whose sessions", call("end_sessions"), hostabi.BadArgument)
	r.completed("accounts: an operation that is none", call("lock", hostabi.TagUser, "tck-nobody"), hostabi.BadArgument)
}
