package kube

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/posternhq/postern/config/crds"
)

// definitionsServer takes definitions and serves each after it has been asked about twice.
type definitionsServer struct {
	mu      sync.Mutex
	applied []string
	asked   map[string]int
	busy    int // requests to refuse first
	refuse  string
}

func (s *definitionsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.TrimPrefix(r.URL.Path, definitions)
	body, _ := io.ReadAll(r.Body)
	switch {
	case s.busy > 0:
		s.busy--
		w.WriteHeader(503)
	case name == s.refuse:
		w.WriteHeader(422)
		fmt.Fprint(w, `{"kind":"Status","message":"spec is invalid"}`)
	case r.Method == http.MethodPatch:
		if r.Header.Get("Content-Type") != "application/apply-patch+yaml" || r.URL.RawQuery != "fieldManager=postern&force=true" || !strings.Contains(string(body), "name: "+name) {
			w.WriteHeader(400)
		}
		s.applied = append(s.applied, name)
		fmt.Fprint(w, `{}`)
	default:
		s.asked[name]++
		status := "False"
		if s.asked[name] > 2 {
			status = "True"
		}
		fmt.Fprintf(w, `{"status":{"conditions":[{"type":"NamesAccepted","status":"True"},{"type":"Established","status":%q}]}}`, status)
	}
}

func install(t *testing.T, s *definitionsServer, limit time.Duration) (done []string, err error) {
	t.Helper()
	s.asked = map[string]int{}
	h := httptest.NewServer(s)
	defer h.Close()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err = InstallCRDs(ctx, &rest.Config{Host: h.URL}, crds.Files(), func(name string) { done = append(done, name) })
	return done, err
}

func TestInstallCRDs(t *testing.T) {
	s := &definitionsServer{busy: 2}
	done, err := install(t, s, time.Minute)
	if err != nil || len(done) != len(crds.Files()) || !slices.Equal(done, s.applied) || !slices.Contains(done, "users.iam.kubesphere.io") {
		t.Errorf("%v: applied %q, served %q", err, s.applied, done)
	}
	for name, n := range s.asked {
		if n != 3 {
			t.Errorf("%s was asked about %d times", name, n)
		}
	}
}

func TestInstallCRDsFails(t *testing.T) {
	done, err := install(t, &definitionsServer{refuse: "users.iam.kubesphere.io"}, time.Minute)
	if err == nil || !strings.Contains(err.Error(), `"users.iam.kubesphere.io"`) || !strings.Contains(err.Error(), "spec is invalid") || len(done) != 0 {
		t.Errorf("%v, served %q", err, done)
	}
	if _, err := install(t, &definitionsServer{busy: 1 << 30}, 300*time.Millisecond); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("server that stays busy: %v", err)
	}
}
