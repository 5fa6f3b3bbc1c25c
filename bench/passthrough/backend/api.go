package main

import (
	"bufio"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// ObjectPath is the object that all load asks for.
const ObjectPath = "/api/v1/namespaces/default/configmaps/bench"

// objectSize is the size of the answer in bytes: an average pod's status or a small ConfigMap.
const objectSize = 1229 // 1.2 KiB

var object = makeObject()

func makeObject() []byte {
	const head = `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"bench","namespace":"default","uid":"8a1f3b0c-5a4e-4d0e-9a57-0b3a1c2d4e5f",` +
		`"resourceVersion":"4711","creationTimestamp":"2026-01-01T00:00:00Z","labels":{"app":"bench"},"managedFields":[{"manager":"kubectl",` +
		`"operation":"Update","apiVersion":"v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:data":{".":{},"f:text":{}}}}]},"data":{"text":"`
	const tail = "\"}}\n"
	return []byte(head + strings.Repeat("x", objectSize-len(head)-len(tail)) + tail)
}

// lists are the kinds that a gateway follows, with their items: one user who may read ConfigMaps.
var lists = map[string]string{
	"/apis/iam.kubesphere.io/v1alpha2/users": `{"metadata":{"name":"bench","uid":"u1","resourceVersion":"1"},"spec":{"email":"bench@example.org","groups":["developers"]},` +
		`"status":{"state":"Active"}}`,
	"/apis/iam.kubesphere.io/v1alpha2/globalroles": `{"metadata":{"name":"readers","resourceVersion":"1"},"rules":[{"apiGroups":[""],"resources":["configmaps","pods"],` +
		`"verbs":["get","list","watch"]},{"apiGroups":["bench.postern.io"],"resources":["*"],"verbs":["*"]}]}`,
	"/apis/iam.kubesphere.io/v1alpha2/globalrolebindings": `{"metadata":{"name":"bench","resourceVersion":"1"},"subjects":[{"kind":"User",` +
		`"apiGroup":"rbac.authorization.k8s.io","name":"bench"}],"roleRef":{"apiGroup":"iam.kubesphere.io","kind":"GlobalRole","name":"readers"}}`,
	"/apis/iam.kubesphere.io/v1alpha2/workspaceroles":        "",
	"/apis/iam.kubesphere.io/v1alpha2/workspacerolebindings": "",
	"/apis/rbac.authorization.k8s.io/v1/clusterroles":        "",
	"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings": "",
	"/apis/rbac.authorization.k8s.io/v1/roles":               "",
	"/apis/rbac.authorization.k8s.io/v1/rolebindings":        "",

	"/api/v1/namespaces": `{"metadata":{"name":"default","resourceVersion":"1"}}`,
}

// serve answers as kube-apiserver would, with the headers that it sends.
func serve(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	h.SetCanonical([]byte("Content-Type"), []byte("application/json"))
	h.SetCanonical([]byte("Audit-Id"), []byte("5f0f2f0e-3c56-4a8e-8a3b-3f6b2f7f1a10"))
	h.SetCanonical([]byte("Cache-Control"), []byte("no-cache, private"))
	h.SetCanonical([]byte("X-Kubernetes-Pf-Flowschema-Uid"), []byte("0e8ba0c2-8e2b-4d4a-9d4e-1c8c8a0c3a11"))
	h.SetCanonical([]byte("X-Kubernetes-Pf-Prioritylevel-Uid"), []byte("b1a3e0b5-74ae-4a5c-9b5a-6f5d5f0f4c12"))
	if string(ctx.Path()) == ObjectPath {
		ctx.Response.SetBodyRaw(object)
		return
	}
	items, known := lists[string(ctx.Path())]
	switch {
	case !known:
		ctx.SetStatusCode(fasthttp.StatusNotFound)
		ctx.SetBodyString(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
	case ctx.QueryArgs().Has("watch"):
		watch(ctx)
	default:
		fmt.Fprintf(ctx, `{"kind":"List","apiVersion":"%s","metadata":{"resourceVersion":"1"},"items":[%s]}`, apiVersion(string(ctx.Path())), items)
	}
}

// apiVersion is group and version of a list's path.
func apiVersion(list string) string {
	dir := strings.Trim(path.Dir(list), "/")
	_, version, _ := strings.Cut(dir, "/")
	return version
}

// watch never has news: it sends a bookmark every five seconds, which finds out that the client has left, and ends when
// the client said it should, after ten minutes at most.
func watch(ctx *fasthttp.RequestCtx) {
	life := min(max(ctx.QueryArgs().GetUintOrZero("timeoutSeconds"), 1), 600)
	ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		for end := time.Now().Add(time.Duration(life) * time.Second); time.Now().Before(end); time.Sleep(5 * time.Second) {
			_, _ = w.WriteString(`{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"1"}}}` + "\n")
			if w.Flush() != nil {
				return
			}
		}
	})
}
