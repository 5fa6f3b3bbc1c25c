package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/posternhq/postern/bench/rig"
)

// stackWait bounds the start of the real stack, with everything built.
const stackWait = 90 * time.Second

// ready is what is used of the stack's ready-file.
type ready struct {
	Kubeconfigs map[string]string
}

// kubeAPIServer starts the development stack without its gateway. Peers present the gateway's certificate; Postern does, too,
// and says by impersonation who asks.
func kubeAPIServer(ctx context.Context, m *measurer) (b *backend, err error) {
	dir, err := m.folder("kube-apiserver")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "ready.json")
	// Its state is kept between runs, so that a second one starts faster.
	p, err := rig.Start(dir, "stack", nil, nil, filepath.Join(m.bin, "stack"), "up", "--no-gateway", "--ready-file", file,
		"--dir", filepath.Join(filepath.Dir(m.work), "bench-stack"))
	if err != nil {
		return nil, fmt.Errorf("%w: build it with `make deps`", err)
	}
	defer func() {
		if err != nil {
			p.Stop()
		}
	}()
	r, err := waitStack(ctx, p, file)
	if err != nil {
		return nil, err
	}
	b = &backend{title: "kube-apiserver", dir: dir, Scheme: "https", Kubeconfig: r.Kubeconfigs["postern"], object: object, user: "admin", stop: p.Stop}
	config, err := clientcmd.BuildConfigFromFlags("", b.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("cannot read the stack's kubeconfig: %w", err)
	}
	return b, errors.Join(b.credentials(config), createObject(ctx, config))
}

// waitStack returns when the ready-file is there.
func waitStack(ctx context.Context, p *rig.Process, file string) (r ready, err error) {
	fmt.Fprintln(os.Stderr, "starting kube-apiserver: some 10 seconds, the first time longer; log:", p.Log)
	ctx, cancel := context.WithTimeout(ctx, stackWait)
	defer cancel()
	for {
		text, err := os.ReadFile(file)
		if err == nil {
			return r, json.Unmarshal(text, &r)
		}
		if err := p.Ended(); err != nil {
			return r, err
		}
		select {
		case <-ctx.Done():
			return r, fmt.Errorf("the stack was not ready within %v: %w\n%s", stackWait, ctx.Err(), rig.Tail(p.Log))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// credentials writes address and certificates where the peers' configurations can name them.
func (b *backend) credentials(config *rest.Config) error {
	u, err := url.Parse(config.Host)
	if err != nil {
		return fmt.Errorf("cannot use kube-apiserver's address %q: %w", config.Host, err)
	}
	if err := rest.LoadTLSFiles(config); err != nil {
		return fmt.Errorf("cannot read the gateway's certificate: %w", err)
	}
	b.Address = u.Host
	b.CA, b.Cert, b.Key, b.Pair = b.dir+"/ca.pem", b.dir+"/client.pem", b.dir+"/client.key", b.dir+"/client-pair.pem"
	var all error
	for file, content := range map[string][]byte{
		b.CA: config.CAData, b.Cert: config.CertData, b.Key: config.KeyData,
		b.Pair: append(append([]byte(nil), config.CertData...), config.KeyData...),
	} {
		all = errors.Join(all, os.WriteFile(file, content, 0o600))
	}
	return all
}

// createObject makes the ConfigMap that is asked for, with an answer of some 1.2 KB.
func createObject(ctx context.Context, config *rest.Config) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return fmt.Errorf("cannot connect to kube-apiserver: %w", err)
	}
	defer client.CloseIdleConnections()
	body := `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"bench"},"data":{"text":"` + strings.Repeat("x", 900) + `"}}`
	r, err := http.NewRequestWithContext(ctx, http.MethodPatch, config.Host+object+"?fieldManager=bench&force=true", strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/apply-patch+yaml")
	resp, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("cannot make the ConfigMap: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("cannot make the ConfigMap: %s", resp.Status)
	}
	return nil
}
