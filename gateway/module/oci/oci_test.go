package oci

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
)

func TestPushAndPull(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "layout")
	reg := serve(t)
	module := wasm('a', 300_000)
	var digests []string
	for _, place := range []string{"oci://" + reg.host + "/acme/hello", "oci-layout://" + folder} {
		opts := alone(t)
		var last, total int64
		opts.Progress = func(done, all int64) { last, total = done, all }
		opts.Annotations = map[string]string{"org.opencontainers.image.version": "1.2.0"}
		pushed, err := Push(t.Context(), reference(t, place+":1.2"), module, opts)
		if err != nil || last != int64(len(module)) || total != last {
			t.Fatalf("pushed %+v, error %v, progress %d of %d", pushed, err, last, total)
		}
		digests = append(digests, pushed.Digest)
		last = 0
		for _, version := range []string{":1.2", "@" + pushed.Digest, ":other@" + pushed.Digest} {
			a, err := Pull(t.Context(), reference(t, place+version), opts)
			if err != nil || !bytes.Equal(a.Bytes, module) || a.Digest != pushed.Digest || a.Module != sum(module) || last != total {
				t.Errorf("%s: got %v, %v, progress %d of %d", version, a, err, last, total)
			}
		}
		if now, err := Resolve(t.Context(), reference(t, place+":1.2"), opts); err != nil || now != pushed.Digest {
			t.Errorf("resolved to %q, %v", now, err)
		}
		if again, err := Push(t.Context(), reference(t, place+":1.3"), module, opts); err != nil || again.Digest != pushed.Digest {
			t.Errorf("the same module again: %v, %v, want %s", again, err, pushed.Digest)
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("a registry and a folder have different artifacts of one module: %q", digests)
	}
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func TestLayoutIsTheCNCFs(t *testing.T) {
	folder := t.TempDir()
	module := wasm('a', 100)
	digest := mustPush(t, reference(t, "oci-layout://"+folder+":1"), module)
	blob := func(digest string, into any) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(folder, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:")))
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var manifest ocispec.Manifest
	blob(digest, &manifest)
	var settings map[string]any
	blob(manifest.Config.Digest.String(), &settings)
	have := fmt.Sprint(manifest.MediaType, " ", manifest.Config.MediaType, " ", len(manifest.Layers), " ", manifest.Layers[0].MediaType, " ", settings)
	want := "application/vnd.oci.image.manifest.v1+json application/vnd.wasm.config.v0+json 1 application/wasm " +
		"map[architecture:wasm created:1970-01-01T00:00:00Z layerDigests:[sha256:" + sum(module) + "] os:wasip1]"
	if have != want {
		t.Errorf("have %s\nwant %s", have, want)
	}
}

// put stores a manifest of layers of some types under the tag.
func put(t *testing.T, to oras.Target, tag string, change func(*ocispec.Manifest), types ...string) {
	t.Helper()
	var manifest ocispec.Manifest
	manifest.SchemaVersion, manifest.MediaType = 2, ocispec.MediaTypeImageManifest
	var err error
	if manifest.Config, err = oras.PushBytes(t.Context(), to, "application/vnd.oci.empty.v1+json", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	for i, kind := range types {
		bytes := wasm(byte('a'+i), 64)
		layer := content.NewDescriptorFromBytes(kind, bytes)
		if err := store(t.Context(), to, layer, strings.NewReader(string(bytes))); err != nil {
			t.Fatal(err)
		}
		manifest.Layers = append(manifest.Layers, layer)
	}
	change(&manifest)
	text, err := json.Marshal(manifest)
	if err == nil {
		_, err = oras.TagBytes(t.Context(), to, manifest.MediaType, text, tag)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestOtherLayouts(t *testing.T) {
	reg := serve(t)
	repo, done, err := alone(t).repository(reg.at(t, ":x"))
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	as := func(*ocispec.Manifest) {}
	for name, c := range map[string]struct {
		types  []string
		change func(*ocispec.Manifest)
		want   string // in the error; empty: loads
	}{
		"kubewarden":    {[]string{typeKubewarden}, as, ""},
		"solo":          {[]string{typeSolo}, as, ""},
		"with-a-readme": {[]string{"text/markdown", typeWasm}, as, ""},
		"two":           {[]string{typeWasm, typeWasm}, as, "has 2 layers"},
		"container":     {[]string{"application/vnd.oci.image.layer.v1.tar+gzip"}, as, "has 0 layers"},
		"oversize":      {[]string{typeWasm}, func(m *ocispec.Manifest) { m.Layers[0].Size = maxModule + 1 }, "67108865 bytes"},
		"negative":      {[]string{typeWasm}, func(m *ocispec.Manifest) { m.Layers[0].Size = -1 }, "-1 bytes"},
		"short":         {[]string{typeWasm}, func(m *ocispec.Manifest) { m.Layers[0].Size-- }, "module sha256:"},
		"long":          {[]string{typeWasm}, func(m *ocispec.Manifest) { m.Layers[0].Size++ }, "module sha256:"},
		"algorithm":     {[]string{typeWasm}, func(m *ocispec.Manifest) { m.Layers[0].Digest = "md5:1234" }, "not of sha256"},
		"huge-manifest": {[]string{typeWasm}, func(m *ocispec.Manifest) {
			m.Annotations = map[string]string{"x": strings.Repeat("x", maxManifest)}
		}, "more than 1048576"},
	} {
		put(t, repo, name, c.change, c.types...)
		a, err := Pull(t.Context(), reg.at(t, ":"+name), alone(t))
		switch {
		case c.want == "" && (err != nil || len(a.Bytes) != 64):
			t.Errorf("%s: %v, %v", name, a, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got error %v, want %q in it", name, err, c.want)
		}
	}
}

func TestWhatIsWrongOnTheWay(t *testing.T) {
	reg := serve(t)
	module := wasm('a', 100_000)
	digest := mustPush(t, reg.at(t, ":1"), module)
	blob := func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/blobs/") }
	reply := func(code int, header, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			if name, value, ok := strings.Cut(header, ": "); ok {
				w.Header().Set(name, value)
			}
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	for name, c := range map[string]struct {
		before func(http.ResponseWriter, *http.Request) bool
		want   string
	}{
		"401": {reply(401, `WWW-Authenticate: Basic realm="x"`, ""), "docker login 127.0.0.1"},
		"403": {reply(403, "", ""), "docker login 127.0.0.1"},
		"404": {reply(404, "", ""), "not found"},
		"another module": {func(w http.ResponseWriter, r *http.Request) bool {
			return blob(r) && reply(200, "", string(wasm('b', len(module))))(w, r)
		}, "mismatch"},
		"another manifest": {func(w http.ResponseWriter, r *http.Request) bool {
			return !blob(r) && reply(200, "Content-Type: "+ocispec.MediaTypeImageManifest, "{}")(w, r)
		}, "digest"},
		"a module of another size": {func(w http.ResponseWriter, r *http.Request) bool {
			return blob(r) && reply(200, "", "short")(w, r)
		}, "mismatch"},
		"a module cut off": {func(w http.ResponseWriter, r *http.Request) bool {
			return blob(r) && reply(200, "Content-Length: 100000", "short")(w, r)
		}, "EOF"},
		"a redirect to elsewhere without end": {func(w http.ResponseWriter, r *http.Request) bool {
			return blob(r) && reply(307, "Location: "+r.URL.Path, "")(w, r)
		}, "stopped after 4 redirects"},
	} {
		reg.before = c.before
		a, err := Pull(t.Context(), reg.at(t, "@"+digest), alone(t))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, error %v, want %q in it", name, a, err, c.want)
		}
	}
}

func TestRegistryThatIsDown(t *testing.T) {
	reg := serve(t)
	ref := reg.at(t, ":1")
	reg.Close()
	if a, err := Pull(t.Context(), ref, alone(t)); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v, %v", a, err)
	}
}

func TestDeadlineAndCancel(t *testing.T) {
	reg := serve(t)
	arrived := make(chan struct{}, 8)
	reg.before = func(_ http.ResponseWriter, r *http.Request) bool {
		arrived <- struct{}{}
		<-r.Context().Done()
		return true
	}
	opts := alone(t)
	opts.Timeout = 50 * time.Millisecond
	if _, err := Pull(t.Context(), reg.at(t, ":1"), opts); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
	<-arrived
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if _, err := Pull(ctx, reg.at(t, ":1"), alone(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want to be cancelled", err)
	}
}

func TestCredentials(t *testing.T) {
	reg := serve(t)
	reg.before = func(w http.ResponseWriter, r *http.Request) bool {
		if user, password, ok := r.BasicAuth(); ok && user == "robot" && password == "secret" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	file := filepath.Join(t.TempDir(), "config.json")
	text := fmt.Sprintf(`{"auths": {%q: {"auth": "cm9ib3Q6c2VjcmV0"}}}`, reg.host) // robot:secret
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	given := alone(t)
	given.Username, given.Password = "robot", "secret"
	for name, opts := range map[string]Options{"given": given, "docker's": {DockerConfig: file}} {
		if _, err := Push(t.Context(), reg.at(t, ":1"), wasm('a', 100), opts); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Pull(t.Context(), reg.at(t, ":1"), opts); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	given.Password = "wrong"
	if _, err := Pull(t.Context(), reg.at(t, ":1"), given); err == nil || strings.Contains(err.Error(), "wrong") {
		t.Errorf("with the wrong password: %v", err)
	}
}

func TestTLS(t *testing.T) {
	reg := serve(t)
	secure := httptest.NewTLSServer(reg)
	defer secure.Close()
	ref := reference(t, "oci://"+strings.TrimPrefix(secure.URL, "https://")+"/acme/hello:1")
	file := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	if err := os.WriteFile(file, certificate, 0o644); err != nil {
		t.Fatal(err)
	}
	opts := alone(t)
	opts.CAFile = file
	if _, err := Push(t.Context(), ref, wasm('a', 100), opts); err != nil {
		t.Fatal(err)
	}
	reg.before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, reg.URL+r.URL.Path, http.StatusTemporaryRedirect)
			return true
		}
		return false
	}
	if _, err := Pull(t.Context(), ref, opts); err == nil || !strings.Contains(err.Error(), "redirect from TLS") {
		t.Errorf("a redirect from TLS to none: %v", err)
	}
}

// TestGuard: a registry elsewhere gets no request without TLS, whoever names the address.
func TestGuard(t *testing.T) {
	reg := serve(t)
	client := &http.Client{Transport: guard{http.DefaultTransport, false}}
	r, err := client.Get(reg.URL)
	if err == nil {
		_ = r.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "--plain-http") {
		t.Errorf("got %v", err)
	}
	for host, want := range map[string]bool{
		"localhost:5000": true, "localhost": true, "127.0.0.1:5000": true, "[::1]:5000": true, "127.1.2.3": true,
		"ghcr.io": false, "localhost.example.io": false, "10.0.0.1:5000": false,
	} {
		if loopback(host) != want {
			t.Errorf("loopback(%q) is %v", host, !want)
		}
	}
}

func TestPushRefusals(t *testing.T) {
	layout := "oci-layout://" + t.TempDir()
	sum := "@sha256:" + strings.Repeat("a", 64)
	for name, c := range map[string]struct {
		ref    string
		module []byte
		want   string
	}{
		"no module": {layout + ":1", []byte("#!/bin/sh"), "not a WebAssembly"},
		"oversize":  {layout + ":1", wasm('a', maxModule+1), "more than 67108864"},
		"no tag":    {layout + sum, wasm('a', 100), "with a tag"},
		"a digest":  {layout + ":1" + sum, wasm('a', 100), "without a digest"},
	} {
		if _, err := Push(t.Context(), reference(t, c.ref), c.module, alone(t)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, c.want)
		}
	}
}
