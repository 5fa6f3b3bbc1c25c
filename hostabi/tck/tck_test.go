package tck

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// failures are the checks that did not hold, as "case: check".
func failures(all []Result) (names []string) {
	for _, r := range all {
		if !r.OK {
			names = append(names, r.Case+": "+r.Check)
		}
	}
	return names
}

func has(all []string, what string) bool {
	for _, name := range all {
		if strings.HasPrefix(name, what) {
			return true
		}
	}
	return false
}

// TestHostThatDoesNotConform has a host answer what no guest would: each kind of check must see it.
func TestHostThatDoesNotConform(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, "ok this\nFAIL request_field: that: got -2 (bad argument), want 4\n")
	}))
	defer server.Close()
	failed := failures(Host(t.Context(), Target{URL: server.URL}, new(Backend)))
	for _, want := range []string{
		"sync/request: request_field: that", "async/kube: request_field: that", "sync/mixed: status", "sync/mixed: bytes and handles", "async/failed: a Kubernetes Status",
		"sync/forward: the backend's answer", "async/ended: the answer", "async/hang: waits",
	} {
		if !has(failed, want) {
			t.Errorf("%q is not among the failures %q", want, failed)
		}
	}
	if has(failed, "sync/request: this") {
		t.Error("what a guest found well counts as a failure")
	}
}

// TestGuestThatDoesNotConform has a guest answer 200 to everything, and fail every seventh request.
func TestGuestThatDoesNotConform(t *testing.T) {
	asked := make(chan int, 1)
	asked <- 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := <-asked + 1
		asked <- n
		if n%7 == 0 {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	defer server.Close()
	failed := failures(Guest(t.Context(), Target{URL: server.URL}, "/kapis/a.io/v1/x"))
	for _, want := range []string{"guest: 100 requests at once", "guest: a path", "guest: a method", "guest: a large body"} {
		if !has(failed, want) {
			t.Errorf("%q is not among the failures %q", want, failed)
		}
	}
	server.Close()
	if failed = failures(Guest(t.Context(), Target{URL: server.URL}, "/kapis/a.io/v1/x")); !has(failed, "guest: answers") {
		t.Errorf("a host that is not there: %q", failed)
	}
}
