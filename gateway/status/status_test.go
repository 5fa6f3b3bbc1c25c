package status

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/valyala/fasthttp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/posternhq/postern/gateway/exchange"
)

// written is the answer that f writes.
func written(info exchange.RequestInfo, f func(x *exchange.Exchange)) (*fasthttp.Response, string) {
	ctx, reason := new(fasthttp.RequestCtx), ""
	exchange.Run(ctx, nil, time.Time{}, func(x *exchange.Exchange) {
		x.ID, x.Info = "id-1", info
		f(x)
		reason = x.Reason
	})
	return &ctx.Response, reason
}

// TestReasons: each has a code, and the way back from the code is the reason.
func TestReasons(t *testing.T) {
	if len(codes) < 11 {
		t.Fatalf("%d reasons", len(codes))
	}
	for reason, code := range codes {
		if reason.Code() != code || For(code) != reason || http.StatusText(code) == "" {
			t.Errorf("%s: %d, back %s", reason, code, For(code))
		}
	}
	for code, want := range map[int]Reason{418: BadRequest, 499: BadRequest, 501: InternalError, 599: InternalError} {
		if got := For(code); got != want {
			t.Errorf("%d: %s, want %s", code, got, want)
		}
	}
	if got := Reason("Nonsense").Code(); got != 500 {
		t.Errorf("an unknown reason has code %d", got)
	}
}

// TestKubernetesReadsIt decodes as client-go does, which branches on what it finds.
func TestKubernetesReadsIt(t *testing.T) {
	info := exchange.RequestInfo{Name: "p", APIGroup: "apps", Resource: "deployments"}
	resp, reason := written(info, func(x *exchange.Exchange) {
		x.HTTP.Response.SetBodyString("half an answer")
		Write(x, Forbidden, `user "ann" cannot`)
	})
	var s metav1.Status
	if err := json.Unmarshal(resp.Body(), &s); err != nil {
		t.Fatal(err)
	}
	d := s.Details
	if s.Kind != "Status" || s.APIVersion != "v1" || s.Status != metav1.StatusFailure || s.Code != 403 || s.Message != `user "ann" cannot` ||
		d == nil || d.Name != "p" || d.Group != "apps" || d.Kind != "deployments" || len(d.Causes) != 1 || d.Causes[0].Message != "id-1" {
		t.Errorf("%+v", s)
	}
	if err := error(&apierrors.StatusError{ErrStatus: s}); !apierrors.IsForbidden(err) {
		t.Errorf("client-go does not take %v for forbidden", err)
	}
	if resp.StatusCode() != 403 || string(resp.Header.ContentType()) != "application/json" || reason != s.Message {
		t.Errorf("%d %s, reason %q", resp.StatusCode(), resp.Header.ContentType(), reason)
	}
	resp, _ = written(info, func(x *exchange.Exchange) { WriteCode(x, 429, "slower") })
	if err := json.Unmarshal(resp.Body(), &s); err != nil || !apierrors.IsTooManyRequests(&apierrors.StatusError{ErrStatus: s}) {
		t.Errorf("%s: %v", resp.Body(), err)
	}
}

// FuzzAppend: whatever is in it, it is JSON on one line, and says what it was given.
func FuzzAppend(f *testing.F) {
	f.Add("message", "id", "name", "group", "kind", 404)
	f.Add("a\"b\\c\n\x00\x7f\xff\u2028</script>", "", "", "\xc3", "\x1b", 0)
	f.Fuzz(func(t *testing.T, message, id, name, group, kind string, code int) {
		b := Append(nil, For(code), code, message, id, exchange.RequestInfo{Name: name, APIGroup: group, Resource: kind})
		var s metav1.Status
		if err := json.Unmarshal(b, &s); err != nil || !utf8.Valid(b) || strings.Count(string(b), "\n") != 1 {
			t.Fatalf("%q: %v", b, err)
		}
		valid := func(s string) string { return strings.ToValidUTF8(s, "") }
		drop := func(s string) string { return strings.ReplaceAll(s, "\uFFFD", "") }
		if drop(s.Message) != drop(valid(message)) || drop(s.Details.Name) != drop(valid(name)) || drop(s.Details.Causes[0].Message) != drop(valid(id)) {
			t.Errorf("%q says %+v", b, s)
		}
	})
}
