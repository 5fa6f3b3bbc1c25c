package gateway

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/module/moduletest/guests"
	"github.com/posternhq/postern/gateway/module/oci"
)

// publish pushes a module that answers the group pulled.example.io with a text.
func publish(t *testing.T, ref, says string) {
	t.Helper()
	to, err := oci.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	wasm := guests.Saying(t, says, guests.Serving("pulled", "pulled.example.io/v1"))
	if _, err := oci.Push(t.Context(), to, wasm, oci.Options{DockerConfig: filepath.Join(t.TempDir(), "config.json")}); err != nil {
		t.Fatal(err)
	}
}

// says waits until the pulled module answers with a text.
func (g *running) says(t *testing.T, want string) {
	t.Helper()
	eventually(t, "the module says "+want, func() bool {
		code, body := get(g.http + "/kapis/pulled.example.io/v1/x")
		return code == 200 && body == want
	})
}

// TestPullByConfiguration serves from a registry, holds its tag by the lock file, and starts again without the registry.
func TestPullByConfiguration(t *testing.T) {
	reg := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer reg.Close()
	ref := "oci://" + strings.TrimPrefix(reg.URL, "http://") + "/acme/pulled:1"
	publish(t, ref, "one")
	c := newCluster(t)
	artifacts := t.TempDir()
	first := changed(c.configuration(t), func(o *config.Config) {
		o.Postern.Modules.Dir, o.Postern.Modules.ArtifactDir = t.TempDir(), artifacts
		o.Postern.Modules.Pull = []string{ref}
		o.Postern.Modules.Registry.Config = filepath.Join(artifacts, "config.json")
	})
	g := run(t, first).ready()
	g.says(t, "one")
	lock := filepath.Join(first.Postern.Modules.Dir, oci.LockFile)
	eventually(t, "the lock file is there", func() bool { _, err := os.Stat(lock); return err == nil })
	publish(t, ref, "two")
	if err := g.Reload(t.Context(), changed(first, func(*config.Config) {})); err != nil {
		t.Fatal(err)
	}
	g.says(t, "one") // whatever the tag says now
	l, err := oci.ReadLock(lock)
	if err != nil {
		t.Fatal(err)
	}
	at, _ := oci.ParseReference(ref)
	if _, err := l.Pull(t.Context(), at, true, oci.Options{}, func([]byte) ([]string, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	if err := l.Write(lock); err != nil { // as `postern module pull --update --lock-only` does
		t.Fatal(err)
	}
	if err := g.Reload(t.Context(), changed(first, func(*config.Config) {})); err != nil {
		t.Fatal(err)
	}
	g.says(t, "two")
	reg.Close()
	again := run(t, changed(first, func(o *config.Config) { o.Postern.Sessions.JournalFile = filepath.Join(artifacts, "sessions.journal") })).ready()
	again.says(t, "two")
	if err := again.Reload(t.Context(), changed(first, func(o *config.Config) { o.Postern.Modules.Pull = nil })); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the module goes", func() bool { code, _ := get(again.http + "/kapis/pulled.example.io/v1/x"); return code != 200 })
}

// TestPullsThatFail are told to operators, with what to do: by the probe, which passes.
func TestPullsThatFail(t *testing.T) {
	c := newCluster(t)
	o := changed(c.configuration(t), func(o *config.Config) {
		o.Postern.Modules.Dir, o.Postern.Modules.ArtifactDir = t.TempDir(), t.TempDir()
		o.Postern.Modules.Pull = []string{"oci-layout://" + t.TempDir() + "/none:1"}
	})
	lock := filepath.Join(o.Postern.Modules.Dir, oci.LockFile)
	if err := os.WriteFile(lock, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := run(t, o).ready()
	noted := func(text string) func() bool {
		return func() bool {
			code, body := get(g.admin + "/readyz?verbose")
			return code == 200 && strings.Contains(body, text)
		}
	}
	eventually(t, "the lock file is blamed", noted("cannot read the lock file"))
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if err := g.Reload(t.Context(), changed(o, func(*config.Config) {})); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reference is named", noted("none:1: not pulled yet"))
}

func TestWhatIsPulled(t *testing.T) {
	c := config.Default()
	c.Postern.Modules.Dir = "/srv/modules"
	c.Postern.Modules.Pull = []string{
		"oci://ghcr.io/acme/My_hello:1", "oci://ghcr.io/acme/both:1", "oci://ghcr.io/acme/both:2", "oci-layout:///srv/__:1",
	}
	if _, err := readPulls(c); err == nil {
		t.Error("a repository in capitals passes")
	}
	c.Postern.Modules.Pull[0] = "oci://ghcr.io/acme/my_hello:1"
	p, err := readPulls(c)
	if err != nil || p.lock != "/srv/modules/modules.lock" {
		t.Fatalf("%+v, %v", p, err)
	}
	names := map[string]bool{}
	for _, ref := range p.refs {
		names[p.name(ref)] = true
	}
	if name := p.name(p.refs[0]); len(names) != 4 || !strings.HasPrefix(name, "my-hello-") || len(name) != len("my-hello-")+8 {
		t.Errorf("names %v, the first is %s", names, name)
	}
	c.Postern.Modules.Pull[0] = "oci://ghcr.io/acme/my_hello:2"
	other, err := readPulls(c)
	if err != nil || other.name(other.refs[0]) != p.name(p.refs[0]) {
		t.Errorf("the name changes with the tag: %v", err)
	}
	c.Postern.Modules.Pull[1] = "oci://ghcr.io/acme/both:2"
	if _, err = readPulls(c); err == nil || !strings.Contains(err.Error(), "pull[2]") {
		t.Errorf("one reference twice: %v", err)
	}
}
