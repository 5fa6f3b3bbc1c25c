package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/posternhq/postern/bench/rig"
)

//go:embed configs
var configs embed.FS

// object is what passthrough load asks for.
const object = "/api/v1/namespaces/default/configmaps/bench"

// gateway is a Postern that runs in front of a stand-in for kube-apiserver.
type gateway struct {
	*rig.Process
	dir, modules, cache string // folders: its own, of modules, of compiled modules
	url, admin          string // base URLs
	token               string // of a user who may read ConfigMaps and everything in bench.postern.io
	backend             *rig.Process
	config              settings
	program             string
	apart               bool // modules are compiled in a process of their own
}

// settings fill in the gateway's configuration.
type settings struct {
	Dir, Modules, Cache, Listen, Admin, Secret, Upstream string
	// Extra are more lines under postern, each indented by two spaces at least.
	Extra string
}

// gateway is gatewayWith a compiler of its own, as gateways are.
func (b *bench) gateway(ctx context.Context, extra string) (*gateway, error) {
	return b.gatewayWith(ctx, extra, true)
}

// gatewayWith starts the stand-in and a gateway with a folder for modules, which holds what put has placed there before.
// The caller stops it.
func (b *bench) gatewayWith(ctx context.Context, extra string, apart bool) (*gateway, error) {
	g := &gateway{dir: b.dir, modules: filepath.Join(b.dir, "modules"), cache: filepath.Join(b.dir, "cache"), program: filepath.Join(b.bin, "postern"), apart: apart}
	if err := errors.Join(os.MkdirAll(g.modules, 0o700), os.MkdirAll(g.cache, 0o700)); err != nil {
		return nil, err
	}
	upstream, err := g.startBackend(filepath.Join(b.bin, "passthrough", "backend"))
	if err != nil {
		return nil, err
	}
	listen, admin, err := rig.FreePorts()
	if err != nil {
		g.backend.Stop()
		return nil, err
	}
	g.url, g.admin = "http://"+listen, "http://"+admin
	g.config = settings{
		Dir: g.dir, Modules: g.modules, Cache: g.cache, Listen: listen, Admin: admin, Secret: rand.Text() + rand.Text(),
		Upstream: upstream, Extra: extra,
	}
	if err := g.start(ctx); err != nil {
		g.backend.Stop()
		return nil, err
	}
	return g, nil
}

// start writes the configuration and starts the gateway; again after Process.Stop.
func (g *gateway) start(ctx context.Context) error {
	for _, name := range []string{"kubeconfig.yaml", "kubesphere.yaml"} {
		if err := render(g.dir, name, g.config); err != nil {
			return err
		}
	}
	config := filepath.Join(g.dir, "kubesphere.yaml")
	if g.token == "" {
		out, err := exec.CommandContext(ctx, g.program, "token", "bench", "--config", config).Output()
		if err != nil {
			return fmt.Errorf("cannot make a token: %w", err)
		}
		g.token = strings.TrimSpace(string(out))
	}
	var err error
	env := os.Environ()
	if !g.apart { // the cache's default lies in the home, which is nowhere then
		env = []string{"PATH=" + os.Getenv("PATH")}
		g.config.Cache = ""
		if err := render(g.dir, "kubesphere.yaml", g.config); err != nil {
			return err
		}
	}
	g.Process, err = rig.Start(g.dir, "postern", env, nil, g.program, "run", "--config", config)
	return err
}

// stop ends both processes.
func (g *gateway) stop() {
	g.Stop()
	g.backend.Stop()
}

// startBackend starts the stand-in and gives its URL.
func (g *gateway) startBackend(program string) (string, error) {
	cert, key, err := rig.MakeCertificate(g.dir)
	if err != nil {
		return "", err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close() //nolint:errcheck // only read
	g.backend, err = rig.Start(g.dir, "backend", nil, w, program, "-cert", cert, "-key", key)
	if err := errors.Join(err, w.Close()); err != nil {
		return "", err
	}
	var says struct{ HTTP string }
	err = r.SetReadDeadline(time.Now().Add(10 * time.Second))
	line, err2 := bufio.NewReaderSize(r, 4096).ReadSlice('\n')
	if err := errors.Join(err, err2, json.Unmarshal(line, &says)); err != nil {
		g.backend.Stop()
		return "", fmt.Errorf("the backend did not say where it listens: %w", err)
	}
	return "http://" + says.HTTP, nil
}

// render fills in a configuration in dir.
func render(dir, name string, data any) error {
	t, err := template.ParseFS(configs, "configs/"+name+".tmpl")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o600)
}

// put has a module in the gateway's folder, under name, by rename.
func (g *gateway) put(name string, wasm []byte) error { return place(g.modules, name, wasm) }

func place(dir, name string, wasm []byte) error {
	temporary := filepath.Join(dir, "."+name+".tmp")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(temporary, wasm, 0o600)); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(dir, name))
}

// get asks the gateway, or its admin listener, with the user's token; the answer's status and body.
func (g *gateway) get(ctx context.Context, url string) (int, string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", "Bearer "+g.token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	return resp.StatusCode, string(body), err
}

// await asks url, every pause, until good says so, and returns how long it took; the gateway's log is part of the error.
func (g *gateway) await(ctx context.Context, url string, pause time.Duration, good func(code int, body string) bool) (time.Duration, error) {
	start := time.Now()
	for {
		code, body, err := g.get(ctx, url)
		if err == nil && good(code, body) {
			return time.Since(start), nil
		}
		if err := g.Ended(); err != nil {
			return 0, err
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%s: status %d %.200q, %w\n%s", url, code, body, errors.Join(err, ctx.Err()), rig.Tail(g.Log))
		case <-time.After(pause):
		}
	}
}

// ready waits until everything that can be loaded serves.
func (g *gateway) ready(ctx context.Context) (time.Duration, error) {
	return g.await(ctx, g.admin+"/readyz", 2*time.Millisecond, func(code int, _ string) bool { return code == http.StatusOK })
}
