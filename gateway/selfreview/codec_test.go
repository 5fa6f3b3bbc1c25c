package selfreview_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/selfreview"
)

const (
	jsonType  = "application/json"
	protoType = "application/vnd.kubernetes.protobuf"
)

// magic begins every protobuf body of Kubernetes.
var magic = []byte("k8s\x00")

type message interface{ Marshal() ([]byte, error) }

// encode is object in Kubernetes' envelope, by hand.
func encode(t testing.TB, apiVersion, kind string, object message) []byte {
	t.Helper()
	raw, err := object.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	unknown := runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: apiVersion, Kind: kind}, Raw: raw}
	b, err := unknown.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return append(bytes.Clone(magic), b...)
}

// decode reads an answer in the envelope.
func decode(t testing.TB, body []byte, into interface{ Unmarshal([]byte) error }) runtime.TypeMeta {
	t.Helper()
	rest, ok := bytes.CutPrefix(body, magic)
	var unknown runtime.Unknown
	if err := unknown.Unmarshal(rest); err != nil || !ok {
		t.Fatalf("no envelope: %v: %q", err, body)
	}
	if err := into.Unmarshal(unknown.Raw); err != nil {
		t.Fatal(err)
	}
	return unknown.TypeMeta
}

func podsReview() *authorizationv1.SelfSubjectAccessReview {
	return &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Resource: "pods", Namespace: "demo-shop"},
	}}
}

func TestProtobuf(t *testing.T) {
	s := stage(source{index: platform()})
	const group = "authorization.k8s.io/v1"
	for _, apiVersion := range []string{group, ""} { // without a version it is the path's
		kind := "SelfSubjectAccessReview"
		if apiVersion == "" {
			kind = ""
		}
		resp, _ := send(s, request{"bob", "POST", accessPath, protoType, protoType + "," + jsonType, encode(t, apiVersion, kind, podsReview())})
		var got authorizationv1.SelfSubjectAccessReview
		meta := decode(t, resp.Body(), &got)
		if resp.StatusCode() != 201 || string(resp.Header.ContentType()) != protoType || meta.APIVersion != group || meta.Kind != "SelfSubjectAccessReview" {
			t.Errorf("%d %s %+v", resp.StatusCode(), resp.Header.ContentType(), meta)
		}
		if !got.Status.Allowed || *got.Spec.ResourceAttributes != *podsReview().Spec.ResourceAttributes {
			t.Errorf("%+v", got)
		}
	}
	rules := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: "demo-shop"}}
	resp, _ := send(s, request{"bob", "POST", rulesPath, protoType, protoType, encode(t, group, "SelfSubjectRulesReview", rules)})
	var got authorizationv1.SelfSubjectRulesReview
	if decode(t, resp.Body(), &got); len(got.Status.ResourceRules) != 2 || got.Status.Incomplete {
		t.Errorf("%+v", got)
	}
}

func TestWhichFormat(t *testing.T) {
	s := stage(source{index: platform()})
	text, err := json.Marshal(podsReview())
	if err != nil {
		t.Fatal(err)
	}
	proto := encode(t, "", "", podsReview())
	for _, c := range []struct {
		contentType, accept string
		body                []byte
		code                int
		answer              string
	}{
		{"", "", text, 201, jsonType},
		{"application/json; charset=utf-8", "*/*", text, 201, jsonType},
		{jsonType, "application/*", text, 201, jsonType},
		{jsonType, "text/html, */*;q=0.1", text, 201, jsonType},
		{jsonType, protoType + ";q=0.5, " + jsonType, text, 201, jsonType},
		{jsonType, protoType, text, 201, protoType},
		{protoType, jsonType, proto, 201, jsonType},
		{protoType, "", proto, 201, jsonType},
		{jsonType, "application/cbor, " + jsonType + ";q=0.9", text, 201, jsonType},
		{jsonType, "application/cbor", text, 406, jsonType},
		{jsonType, "nonsense", text, 406, jsonType},
		{"application/cbor", "", []byte("\xd9\xd9\xf7\xa0"), 415, jsonType},
		{"application/yaml", "", []byte("{}"), 415, jsonType},
		{"application/x-www-form-urlencoded", "", text, 415, jsonType},
		{"/;=", "", text, 415, jsonType},
		{jsonType, "", proto, 400, jsonType},
		{protoType, "", text, 400, jsonType},
	} {
		resp, _ := send(s, request{"bob", "POST", accessPath, c.contentType, c.accept, c.body})
		if resp.StatusCode() != c.code || string(resp.Header.ContentType()) != c.answer {
			t.Errorf("%q, accept %q: %d %s %s", c.contentType, c.accept, resp.StatusCode(), resp.Header.ContentType(), resp.Body())
		}
		if c.code >= 400 {
			wantStatus(t, resp, c.code)
		}
	}
}

// wantStatus: an error is a Status with the reason that Kubernetes has for it.
func wantStatus(t *testing.T, resp *fasthttp.Response, code int) {
	t.Helper()
	reasons := map[int]string{400: "BadRequest", 406: "NotAcceptable", 413: "RequestEntityTooLarge", 415: "UnsupportedMediaType", 422: "Invalid"}
	var st struct {
		Kind, Reason, Message string
		Code                  int
	}
	if err := json.Unmarshal(resp.Body(), &st); err != nil {
		t.Fatalf("%v: %s", err, resp.Body())
	}
	if resp.StatusCode() != code || st.Kind != "Status" || st.Code != code || st.Reason != reasons[code] || st.Message == "" || len(st.Message) > 1000 {
		t.Errorf("%d %+v, want %d", resp.StatusCode(), st, code)
	}
}

func TestBadBodies(t *testing.T) {
	s := stage(source{index: platform()})
	both := podsReview()
	both.Spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Verb: "get", Path: "/"}
	truncated := encode(t, "", "", podsReview())
	for _, c := range []struct {
		name, path, contentType, body string
		code                          int
	}{
		{"empty", accessPath, jsonType, "", 400},
		{"not JSON", accessPath, jsonType, "{", 400},
		{"a list", accessPath, jsonType, "[]", 400},
		{"wrong types", accessPath, jsonType, `{"spec":{"resourceAttributes":{"verb":1}}}`, 400},
		{"nothing asked", accessPath, jsonType, `{}`, 422},
		{"null", accessPath, jsonType, `null`, 422},
		{"names of another case", accessPath, jsonType, `{"Spec":{"ResourceAttributes":{"verb":"get"}}}`, 422},
		{"the other review", accessPath, jsonType, `{"kind":"SelfSubjectRulesReview","apiVersion":"authorization.k8s.io/v1","spec":{"namespace":"x"}}`, 400},
		{"another object", accessPath, jsonType, `{"kind":"Pod","apiVersion":"v1"}`, 400},
		{"another version", accessPath, jsonType, `{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1beta1"}`, 400},
		{"bad version", accessPath, jsonType, `{"kind":"SelfSubjectAccessReview","apiVersion":"a/b/c"}`, 400},
		{"quoted in errors", accessPath, jsonType, `{"apiVersion":"x/","metadata":{"name":"` + strings.Repeat("n", 10000) + `"}}`, 400},
		{"long kind", accessPath, jsonType, `{"kind":"` + strings.Repeat("k", 10000) + `","apiVersion":"authorization.k8s.io/v1"}`, 400},
		{"deep", accessPath, jsonType, strings.Repeat("[", 100000), 400},
		{"magic alone", accessPath, protoType, "k8s\x00", 400},
		{"truncated", accessPath, protoType, string(truncated[:len(truncated)-3]), 400},
		{"not protobuf", accessPath, protoType, "k8s\x00\xff\xff\xff", 400},
		{"both", accessPath, protoType, string(encode(t, "", "", both)), 422},
		{"another kind", accessPath, protoType, string(encode(t, "v1", "Pod", podsReview())), 400},
		{"no namespace", rulesPath, jsonType, `{"spec":{}}`, 400},
		{"rules wanted", rulesPath, jsonType, `{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1"}`, 400},
		{"rules, empty", rulesPath, jsonType, "", 400},
		{"too large", accessPath, jsonType, `{"metadata":{"name":"` + strings.Repeat("x", selfreview.MaxBody) + `"}}`, 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, passed := send(s, request{"bob", "POST", c.path, c.contentType, "", []byte(c.body)})
			if passed {
				t.Error("passed on")
			}
			wantStatus(t, resp, c.code)
		})
	}
}

// filler is an endless body that counts what is read of it.
type filler struct{ read int }

func (f *filler) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	f.read += len(p)
	return len(p), nil
}

func TestBodiesAreBounded(t *testing.T) {
	s := stage(source{index: platform()})
	for name, size := range map[string]int{"announced": selfreview.MaxBody + 1, "chunked": -1} {
		body := new(filler)
		ctx := new(fasthttp.RequestCtx)
		ctx.Request.SetBodyStream(body, size)
		ctx.Request.Header.SetContentLength(size)
		x := &exchange.Exchange{HTTP: ctx, User: &exchange.User{Name: "bob"}, Info: exchange.RequestInfo{
			APIPrefix: "apis", APIGroup: "authorization.k8s.io", APIVersion: "v1", Resource: "selfsubjectaccessreviews", Verb: "create", IsResourceRequest: true,
		}}
		s.Serve(x, func(*exchange.Exchange) { t.Error("passed on") })
		wantStatus(t, &ctx.Response, 413)
		if size > 0 && body.read > 0 || body.read > selfreview.MaxBody+1 {
			t.Errorf("%s: %d bytes were read", name, body.read)
		}
	}
	exact := []byte(`{"spec":{"resourceAttributes":{"verb":"get","resource":"pods","namespace":"demo-shop"}}}`)
	exact = append(exact, bytes.Repeat([]byte(" "), selfreview.MaxBody-len(exact))...)
	if resp, _ := send(s, request{"bob", "POST", accessPath, jsonType, "", exact}); resp.StatusCode() != 201 {
		t.Errorf("a body of MaxBody bytes: %d %.200s", resp.StatusCode(), resp.Body())
	}
}

// Whatever the body: the answer is a review or a Status, bounded, and nobody without roles is told yes but to what is open.
func FuzzBody(f *testing.F) {
	text, err := json.Marshal(podsReview())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(false, false, text)
	f.Add(true, false, encode(f, "", "", podsReview()))
	f.Add(false, true, []byte(`{"spec":{"namespace":"demo-shop"}}`))
	f.Add(true, true, encode(f, "authorization.k8s.io/v1", "SelfSubjectRulesReview", &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: "x"}}))
	f.Add(false, false, []byte(`{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","spec":{"nonResourceAttributes":{"path":"/x","verb":"get"}}}`))
	f.Add(true, false, []byte("k8s\x00\x0a\x00\x12\x04\x12\x02\x0a\x00"))
	s := stage(source{index: platform()})
	f.Fuzz(func(t *testing.T, proto, rules bool, body []byte) {
		r := request{user: "mallory", method: "POST", path: accessPath, contentType: jsonType, body: body}
		if proto {
			r.contentType = protoType
		}
		if rules {
			r.path = rulesPath
		}
		resp, passed := send(s, r)
		var answer struct {
			Kind   string
			Status json.RawMessage
			Spec   struct{ NonResourceAttributes *struct{ Path string } }
		}
		if err := json.Unmarshal(resp.Body(), &answer); err != nil || passed {
			t.Fatalf("passed on %v, %v: %q", passed, err, resp.Body())
		}
		switch resp.StatusCode() {
		case 201:
			if !rules && answer.Spec.NonResourceAttributes == nil && bytes.Contains(answer.Status, []byte(`"allowed":true`)) {
				t.Fatalf("%q: %s", body, resp.Body())
			}
		case 400, 422:
			if answer.Kind != "Status" || len(resp.Body()) > 4000 {
				t.Fatalf("%q", resp.Body())
			}
		default:
			t.Fatalf("%d %q", resp.StatusCode(), resp.Body())
		}
	})
}
