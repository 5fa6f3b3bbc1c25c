package main

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/template"
	"time"

	"github.com/posternhq/postern/bench/rig"
)

//go:embed configs
var configs embed.FS

// The targets, in the order of the table.
const (
	postern      = "postern"
	nginx        = "nginx"
	haproxy      = "haproxy"
	reverseProxy = "reverseproxy"
)

var targetNames = []string{postern, nginx, haproxy, reverseProxy}

// target is a running proxy.
type target struct {
	*rig.Process
	url   string // of the object, through it
	admin string // URL of Postern's admin listener
}

// settings fill in a target's configuration.
type settings struct {
	Dir, Listen, Admin, Secret string
	Workers                    int
	Root, PeerLogs             bool
	Upstream                   *backend
}

// startTarget starts one and waits until it hands requests on. A port that somebody takes between our choice and its
// start makes it end; then it is tried again with others.
func (m *measurer) startTarget(ctx context.Context, name string, b *backend) (*target, error) {
	var err error
	for range 3 {
		var t *target
		if t, err = m.launch(ctx, name, b); err != nil {
			return nil, err
		}
		if err = t.wait(ctx, b); err == nil {
			return t, nil
		}
		t.Stop()
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("cannot use %s: %w", name, err)
}

func (m *measurer) launch(ctx context.Context, name string, b *backend) (*target, error) {
	listen, admin, err := rig.FreePorts()
	if err != nil {
		return nil, err
	}
	s := settings{
		Dir: b.dir, Listen: listen, Admin: admin, Secret: rand.Text() + rand.Text(), Workers: runtime.NumCPU(),
		Root: os.Geteuid() == 0, PeerLogs: m.peerLogs, Upstream: b,
	}
	t := &target{url: "http://" + listen + b.object}
	switch name {
	case postern:
		config, err := render(b.dir, "kubesphere.yaml", s)
		if err != nil {
			return nil, err
		}
		program := filepath.Join(m.bin, "postern")
		if b.token, err = token(ctx, program, config, b.user); err != nil {
			return nil, err
		}
		t.admin = "http://" + admin
		t.Process, err = rig.Start(b.dir, name, nil, nil, program, "run", "--config", config)
		return t, err
	case nginx:
		config, err := render(b.dir, "nginx.conf", s)
		if err != nil {
			return nil, err
		}
		t.Process, err = rig.Start(b.dir, name, m.tools.env, nil, m.tools.path[name], "-p", b.dir, "-e", b.dir+"/nginx-error.log", "-c", config)
		return t, err
	case haproxy:
		config, err := render(b.dir, "haproxy.cfg", s)
		if err != nil {
			return nil, err
		}
		t.Process, err = rig.Start(b.dir, name, m.tools.env, nil, m.tools.path[name], "-db", "-f", config)
		return t, err
	default:
		t.Process, err = rig.Start(b.dir, name, nil, nil, filepath.Join(m.bin, "passthrough", name), "-listen", listen,
			"-upstream", b.Scheme+"://"+b.Address, "-ca", b.CA, "-cert", b.Cert, "-key", b.Key)
		return t, err
	}
}

// startWait bounds a target's start. Postern reads users and roles first.
const startWait = 20 * time.Second

// wait returns when the target answers with the object.
func (t *target) wait(ctx context.Context, b *backend) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	for {
		code, err := get(ctx, t.url, b.token)
		if code == http.StatusOK {
			return nil
		}
		if err := t.Ended(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer within %v: status %d, %w\n%s", startWait, code, errors.Join(err, ctx.Err()), rig.Tail(t.Log))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// get asks once and gives the status of the answer.
func get(ctx context.Context, url, token string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, err
}

// token has Postern sign an access token, as it would for a login.
func token(ctx context.Context, program, config, user string) (string, error) {
	var out strings.Builder
	if err := commandOutput(ctx, &out, program, "token", user, "--config", config); err != nil {
		return "", err
	}
	return strings.TrimSpace(out.String()), nil
}

// render fills in a configuration and gives its path.
func render(dir, name string, data any) (string, error) {
	t, err := template.ParseFS(configs, "configs/"+name+".tmpl")
	if err != nil {
		return "", err
	}
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	return file.Name(), errors.Join(t.Execute(file, data), file.Close())
}
