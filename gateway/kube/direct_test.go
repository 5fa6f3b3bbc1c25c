package kube_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/posternhq/postern/gateway/kube"
)

// TestDirect: what goes over the wire, and what the answers come to.
func TestDirect(t *testing.T) {
	var got string
	answer, code := `{"metadata":{"name":"a","resourceVersion":"7"}}`, 200
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = strings.Join([]string{r.Method, r.RequestURI, r.Header.Get("Content-Type"), string(body)}, " ")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, answer)
	}))
	defer s.Close()
	d, err := kube.NewDirect(&rest.Config{Host: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx := t.Context()
	object := map[string]string{"kind": "User"}
	var into struct {
		Metadata struct{ Name, ResourceVersion string }
	}
	for want, send := range map[string]func() error{
		"GET /api/v1/x?limit=1  ":                                            func() error { return d.Get(ctx, "/api/v1/x", url.Values{"limit": {"1"}}, &into) },
		`POST /api/v1/x application/json {"kind":"User"}`:                    func() error { return d.Create(ctx, "/api/v1/x", object, &into) },
		`PATCH /x/a/status application/merge-patch+json {"kind":"User"}`:     func() error { return d.Patch(ctx, "/x/a/status", kube.MergePatch, nil, object, &into) },
		`PATCH /x/a?force=true application/apply-patch+yaml {"kind":"User"}`: func() error { return d.Patch(ctx, "/x/a", kube.Apply, url.Values{"force": {"true"}}, object, &into) },
	} {
		into.Metadata.ResourceVersion = ""
		if err := send(); err != nil || got != want || into.Metadata.ResourceVersion != "7" {
			t.Errorf("sent %q, want %q: %v, %+v", got, want, err, into)
		}
	}
	if err := d.Delete(ctx, "/x/a"); err != nil || got != "DELETE /x/a  " {
		t.Errorf("sent %q: %v", got, err)
	}
	for status, says := range map[int]func(error) bool{404: kube.Missing, 409: kube.Exists} {
		code, answer = status, `{"kind":"Status","message":"no such luck"}`
		err := d.Create(ctx, "/x", object, nil)
		if !says(err) || !strings.Contains(err.Error(), "cannot create /x") || !strings.Contains(err.Error(), "no such luck") {
			t.Errorf("%d: %v", status, err)
		}
	}
	code, answer = 200, "no JSON"
	if err := d.Get(ctx, "/x", nil, &into); err == nil || !strings.Contains(err.Error(), "cannot decode /x") {
		t.Errorf("got %v", err)
	}
}
