package module

import (
	"strings"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/hostabi"
)

// on finds the exchange that args name and runs f on it; its result is f's, or Gone.
func (i *instance) on(id uint64, f func(r *request, x *exchange.Exchange) int64) int64 {
	r := i.request(uint32(id))
	if r == nil {
		return i.fail(hostabi.Gone, "the exchange has ended")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.x == nil {
		return i.fail(hostabi.Gone, "the exchange has ended")
	}
	return f(r, r.x)
}

// requestField is request_field(ex, field, buf, cap).
func requestField(i *instance, a []uint64) int64 {
	return i.on(a[0], func(_ *request, x *exchange.Exchange) int64 {
		read := fields[hostabi.Field(a[1])]
		if read == nil {
			return i.fail(hostabi.BadArgument, "no such field")
		}
		return i.give(read(x), a[2], a[3])
	})
}

// fields read the request's fields. Nothing here may look at the response: the client's goroutine may be writing it.
var fields = map[hostabi.Field]func(x *exchange.Exchange) string{
	hostabi.FieldMethod:        func(x *exchange.Exchange) string { return string(x.HTTP.Method()) },
	hostabi.FieldPath:          func(x *exchange.Exchange) string { return uncluster(x.Info.Path, x.Info.Cluster) },
	hostabi.FieldQuery:         func(x *exchange.Exchange) string { return string(x.HTTP.URI().QueryString()) },
	hostabi.FieldRequestID:     func(x *exchange.Exchange) string { return x.ID },
	hostabi.FieldVerb:          func(x *exchange.Exchange) string { return x.Info.Verb },
	hostabi.FieldGroup:         func(x *exchange.Exchange) string { return x.Info.APIGroup },
	hostabi.FieldVersion:       func(x *exchange.Exchange) string { return x.Info.APIVersion },
	hostabi.FieldCluster:       func(x *exchange.Exchange) string { return x.Info.Cluster },
	hostabi.FieldWorkspace:     func(x *exchange.Exchange) string { return x.Info.Workspace },
	hostabi.FieldNamespace:     func(x *exchange.Exchange) string { return x.Info.Namespace },
	hostabi.FieldDevOps:        func(x *exchange.Exchange) string { return x.Info.DevOps },
	hostabi.FieldResource:      func(x *exchange.Exchange) string { return x.Info.Resource },
	hostabi.FieldSubresource:   func(x *exchange.Exchange) string { return x.Info.Subresource },
	hostabi.FieldName:          func(x *exchange.Exchange) string { return x.Info.Name },
	hostabi.FieldScope:         func(x *exchange.Exchange) string { return x.Info.Scope.String() },
	hostabi.FieldUser:          func(x *exchange.Exchange) string { return user(x).Name },
	hostabi.FieldUserUID:       func(x *exchange.Exchange) string { return user(x).UID },
	hostabi.FieldUserGroups:    func(x *exchange.Exchange) string { return strings.Join(user(x).Groups, "\n") },
	hostabi.FieldModulePath:    func(x *exchange.Exchange) string { return behindGroup(uncluster(x.Info.Path, x.Info.Cluster)) },
	hostabi.FieldModuleRawPath: func(x *exchange.Exchange) string { return behindGroup(rawPath(x)) },
	hostabi.FieldRemoteAddress: func(x *exchange.Exchange) string { return string(x.AppendClient(nil)) },
}

var nobody exchange.User

func user(x *exchange.Exchange) *exchange.User {
	if x.User == nil {
		return &nobody
	}
	return x.User
}

// uncluster is path without `clusters/{c}` behind its prefix.
func uncluster(path, cluster string) string {
	if cluster == "" {
		return path
	}
	prefix, rest, ok := strings.Cut(path, "/clusters/"+cluster)
	if !ok || strings.Count(prefix, "/") > 1 {
		return path
	}
	return prefix + rest
}

// behindGroup is what follows `/kapis/{group}`; "/" when nothing does.
func behindGroup(path string) string {
	at := 0
	for range 2 {
		n := strings.IndexByte(path[min(at+1, len(path)):], '/')
		if n < 0 {
			return "/"
		}
		at += 1 + n
	}
	return path[at:]
}

// rawPath is the request's path as it was sent; dispatch has cut the cluster off already.
func rawPath(x *exchange.Exchange) string {
	path, _, _ := strings.Cut(string(x.HTTP.RequestURI()), "?")
	return path
}

// requestHeader is request_header(ex, name, name_len, buf, cap).
func requestHeader(i *instance, a []uint64) int64 {
	name, ok := i.str(a[1], a[2])
	if !ok {
		return i.badPointer()
	}
	return i.on(a[0], func(_ *request, x *exchange.Exchange) int64 {
		var values []string
		if !private[strings.ToLower(name)] {
			for key, value := range x.HTTP.Request.Header.All() {
				if strings.EqualFold(string(key), name) {
					values = append(values, string(value))
				}
			}
		}
		if values == nil {
			return i.fail(hostabi.NotFound, "no such header")
		}
		return i.give(strings.Join(values, ", "), a[3], a[4])
	})
}
