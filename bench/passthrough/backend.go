package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/posternhq/postern/bench/rig"
)

// backend is what all targets of a scenario stand before, and how they reach it.
type backend struct {
	title       string
	dir         string // configurations and logs of the scenario
	Scheme      string
	Address     string
	CA          string // PEM file; empty without TLS
	Cert, Key   string // PEM files of the client certificate that the peers use; may be empty
	Pair        string // both in one file
	Kubeconfig  string // for Postern
	object      string // path of what is asked for
	user, token string // who asks, and with what
	stop        func()
}

// starter starts a backend. The caller stops it.
type starter func(ctx context.Context, m *measurer) (*backend, error)

const object = "/api/v1/namespaces/default/configmaps/bench"

// plainBackend is the stand-in over HTTP.
func plainBackend(ctx context.Context, m *measurer) (*backend, error) {
	return m.standIn(ctx, "plain HTTP", func(b *backend, a addresses) { b.Scheme, b.Address = "http", a.HTTP })
}

// tlsBackend is the stand-in over TLS.
func tlsBackend(ctx context.Context, m *measurer) (*backend, error) {
	return m.standIn(ctx, "HTTPS", func(b *backend, a addresses) {
		b.Scheme, b.Address, b.CA = "https", a.HTTPS, filepath.Join(b.dir, "backend.crt")
	})
}

// addresses are what the stand-in prints.
type addresses struct{ HTTP, HTTPS string }

var errNoAddresses = errors.New("the backend did not say where it listens")

// standIn starts our own backend; pick says which of its listeners is used.
func (m *measurer) standIn(ctx context.Context, title string, pick func(*backend, addresses)) (*backend, error) {
	dir, err := m.folder(title)
	if err != nil {
		return nil, err
	}
	cert, key, err := rig.MakeCertificate(dir)
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	p, err := rig.Start(dir, "backend", nil, w, filepath.Join(m.bin, "passthrough", "backend"), "-cert", cert, "-key", key)
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	var a addresses
	err = r.SetReadDeadline(time.Now().Add(10 * time.Second))
	line, err2 := bufio.NewReaderSize(r, 4096).ReadSlice('\n')
	if err := errors.Join(err, err2, json.Unmarshal(line, &a)); err != nil {
		p.Stop()
		return nil, fmt.Errorf("%w: %w\n%s", errNoAddresses, err, rig.Tail(p.Log))
	}
	b := &backend{title: title, dir: dir, object: object, user: "bench", stop: p.Stop}
	pick(b, a)
	if b.Kubeconfig, err = render(dir, "kubeconfig.yaml", b); err != nil {
		p.Stop()
		return nil, err
	}
	return b, ctx.Err()
}

// folder makes the folder of a scenario.
func (m *measurer) folder(title string) (string, error) {
	dir := filepath.Join(m.work, slug(title))
	return dir, os.MkdirAll(filepath.Join(dir, "modules"), 0o700)
}

// slug is a title as a folder's name.
func slug(title string) string {
	b := []byte(title)
	for i, c := range b {
		switch {
		case c >= 'A' && c <= 'Z':
			b[i] = c + 'a' - 'A'
		case (c < 'a' || c > 'z') && (c < '0' || c > '9'):
			b[i] = '-'
		}
	}
	return string(b)
}
