//go:build wasip1

package probe

import (
	"strings"
	"unsafe"

	"github.com/posternhq/postern/hostabi"
)

func address(b []byte) uint32 { return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

// caller is a service's call.
type caller func(ex, record, size uint32) int32

// record is a call's record of tags and values.
func record(tagsAndValues ...any) hostabi.Record {
	var r hostabi.Record
	for i := 0; i < len(tagsAndValues); i += 2 {
		r = r.Append(tagsAndValues[i].(hostabi.Tag), tagsAndValues[i+1].(string))
	}
	return r
}

func (r *report) call(f caller, rec hostabi.Record) int32 {
	at := put(string(rec))
	return f(r.ex, at[0], uint32(len(rec)))
}

// crooked gives a service records that are none.
func crooked(r *report, name string, f caller, valid ...any) {
	with := func(more ...any) hostabi.Record { return record(append(append([]any(nil), valid...), more...)...) }
	for what, rec := range map[string]string{
		"cut off in a head": "\x01\x00\x00", "cut off in a value": "\x01\x00\x00\x00\x05\x00\x00\x00ab", "longer than itself": "\x01\x00\x00\x00\xff\xff\xff\xff",
		"of too many fields": strings.Repeat("\x01\x00\x00\x00\x00\x00\x00\x00", hostabi.MaxFields+1),
	} {
		r.code(name+": a record "+what, r.call(f, hostabi.Record(rec)), hostabi.BadArgument)
	}
	ranges(r, name+": a record", func(p, n uint32) int32 { return f(r.ex, p, n) })
	r.code(name+": the body of no handle", r.call(f, with(hostabi.TagBodyHandle, "4711")), hostabi.NotFound)
	r.code(name+": the body of what is no number", r.call(f, with(hostabi.TagBodyHandle, "x")), hostabi.BadArgument)
	r.code(name+": a timeout that is no number", r.call(f, with(hostabi.TagTimeout, "soon")), hostabi.BadArgument)
	r.completed(name+": an unknown tag", r.call(f, with(hostabi.Tag(9999), "x")), hostabi.BadArgument)
}

// httpService calls the backend "tck", which is the runner: it answers with what it was asked.
func httpService(r *report) {
	crooked(r, "http call", httpCall, hostabi.TagBackend, "tck")
	c := r.completed("http call", r.call(httpCall, record(hostabi.TagBackend, "tck", hostabi.TagPath, "/echo?x=1", hostabi.TagMethod, "PUT",
		hostabi.TagHeader, "X-Tck: yes", hostabi.TagBody, "payload")), hostabi.OK)
	r.is("http call's status", int64(c.Status), 202)
	r.text("http call's answer", r.handle(c.Handle), "PUT /echo?x=1 yes payload")
	body := r.keep("by handle")
	c = r.completed("http call with a handle", r.call(httpCall, record(hostabi.TagBackend, "tck", hostabi.TagPath, "/echo", hostabi.TagMethod, "POST",
		hostabi.TagBodyHandle, number(int64(body)))), hostabi.OK)
	r.text("its answer", r.handle(c.Handle), "POST /echo  by handle")
	c = r.completed("http call that the backend refuses", r.call(httpCall, record(hostabi.TagBackend, "tck", hostabi.TagPath, "/404")), hostabi.OK)
	r.is("its status", int64(c.Status), 404)
	slow := r.call(httpCall, record(hostabi.TagBackend, "tck", hostabi.TagPath, "/slow", hostabi.TagTimeout, "50"))
	r.completed("http call that takes too long", slow, hostabi.Deadline)
	r.yes("error_of says why", errorOf(r.ex, uint32(slow), outAt(), uint32(len(out))) > 0)
	r.completed("http call of a backend that was not granted", r.call(httpCall, record(hostabi.TagBackend, "other")), hostabi.Denied)
	for _, path := range []string{"no-slash", "/../x", "/%2e%2e/x", "/a b", "/a\r\nX: y"} {
		r.completed("http call of "+path, r.call(httpCall, record(hostabi.TagBackend, "tck", hostabi.TagPath, path)), hostabi.BadArgument)
	}
	r.completed("http call with a header that is not a guest's", r.call(httpCall, record(hostabi.TagBackend, "tck", hostabi.TagHeader, "Host: x")), hostabi.BadArgument)
	r.completed("http call of an address that was not granted", r.call(httpCall, record(hostabi.TagURL, "https://example.com/")), hostabi.Denied)
}

// prometheusService asks what every Prometheus knows.
func prometheusService(r *report) {
	crooked(r, "prometheus call", prometheusCall, hostabi.TagOperation, "query", hostabi.TagExpr, "1")
	c := r.completed("prometheus query", r.call(prometheusCall, record(hostabi.TagOperation, "query", hostabi.TagExpr, "vector(1)+41", hostabi.TagTime, "1700000000")), hostabi.OK)
	at := put("/result/0/value/1")
	r.text("prometheus query's answer", text(jsonGet(r.ex, c.Handle, at[0], 17, outAt(), 64)), "42")
	c = r.completed("prometheus query_range", r.call(prometheusCall, record(hostabi.TagOperation, "query_range", hostabi.TagExpr, "vector(1)",
		hostabi.TagStart, "1700000000", hostabi.TagEnd, "1700000060", hostabi.TagStep, "30")), hostabi.OK)
	at = put("/result/0/values/2/1")
	r.text("its last point", text(jsonGet(r.ex, c.Handle, at[0], 20, outAt(), 64)), "1")
	r.completed("prometheus query that is none", r.call(prometheusCall, record(hostabi.TagOperation, "query", hostabi.TagExpr, "sum by (")), hostabi.BadArgument)
	r.completed("prometheus operation that is none", r.call(prometheusCall, record(hostabi.TagOperation, "drop")), hostabi.BadArgument)
}

// kubeService reads namespaces, which the module is granted, and what it is not.
func kubeService(r *report) {
	crooked(r, "kube call", kubeCall, hostabi.TagOperation, "list", hostabi.TagVersion, "v1", hostabi.TagResource, "namespaces")
	get := func(name string, more ...any) hostabi.Record {
		return record(append([]any{hostabi.TagOperation, "get", hostabi.TagGroup, "", hostabi.TagVersion, "v1", hostabi.TagResource, "namespaces", hostabi.TagName, name}, more...)...)
	}
	for as, want := range map[string]hostabi.Code{"caller": hostabi.OK, "module": hostabi.OK, "root": hostabi.BadArgument} {
		c := r.completed("kube get as "+as, r.call(kubeCall, get("default", hostabi.TagAs, as)), want)
		if want == hostabi.OK {
			at := put("/metadata/name")
			r.text("its answer", text(jsonGet(r.ex, c.Handle, at[0], 14, outAt(), 64)), "default")
		}
	}
	r.completed("kube get of what is not there", r.call(kubeCall, get("tck-is-not-there")), hostabi.NotFound)
	r.completed("kube get of what was not granted", r.call(kubeCall, record(hostabi.TagOperation, "get", hostabi.TagGroup, "", hostabi.TagVersion, "v1",
		hostabi.TagResource, "secrets", hostabi.TagNamespace, "default", hostabi.TagName, "x")), hostabi.Denied)
	r.completed("kube delete, which was not granted", r.call(kubeCall, record(hostabi.TagOperation, "delete", hostabi.TagGroup, "", hostabi.TagVersion, "v1",
		hostabi.TagResource, "namespaces", hostabi.TagName, "tck-is-not-there")), hostabi.Denied)
	c := r.completed("kube list", r.call(kubeCall, record(hostabi.TagOperation, "list", hostabi.TagGroup, "", hostabi.TagVersion, "v1", hostabi.TagResource, "namespaces",
		hostabi.TagAs, "module", hostabi.TagFieldSelector, "metadata.name=default")), hostabi.OK)
	at := put("/items/0/metadata/name")
	r.text("kube list's answer", text(jsonGet(r.ex, c.Handle, at[0], 22, outAt(), 64)), "default")
	r.completed("kube operation that is none", r.call(kubeCall, record(hostabi.TagOperation, "drop")), hostabi.BadArgument)
	r.completed("kube get of a crooked name", r.call(kubeCall, get("../secrets")), hostabi.BadArgument)
}
