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
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/posternhq/postern/bench/rig"
)

//go:embed configs
var configs embed.FS

// settings fill in the gateway's configuration.
type settings struct{ Dir, Listen, Admin, Secret, Kubeconfig, Server string }

// startAlone starts a gateway in front of a stand-in, which answers as fast as lists can be sent.
func startAlone(ctx context.Context, o options) ([]rig.Figure, error) {
	f, err := serve(o.scale)
	if err != nil {
		return nil, err
	}
	defer f.close()
	return startGateway(ctx, o, settings{Server: f.url})
}

// settle is how long a gateway is left alone before its memory is read.
const settle = 10 * time.Second

// startGateway starts a gateway and measures until it has read everything, then its memory.
func startGateway(ctx context.Context, o options, s settings) ([]rig.Figure, error) {
	g, took, err := launch(ctx, o, s)
	if err != nil {
		return nil, err
	}
	defer g.Stop()
	used, err := rig.GroupUsage(g.PID)
	if err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(settle):
	}
	now, peak, err := resident(g.PID)
	if err != nil {
		return nil, err
	}
	about := fmt.Sprintf("%d users, %d namespaces, %d bindings", o.scale.users, o.scale.namespaces, o.scale.bindings)
	return []rig.Figure{
		rig.AtMost(5, "start until everything is read", took.Seconds(), "s", about),
		rig.Told("CPU until then", used.CPU.Seconds(), "s", "of the gateway, which may be as many times longer as others use the machine"),
		rig.AtMost(120, "resident memory", now, "MB", fmt.Sprintf("%s after that", settle)),
		rig.Told("its highest", peak, "MB", ""),
	}, g.Ended()
}

// launch starts a gateway and waits until it follows every kind.
func launch(ctx context.Context, o options, s settings) (*rig.Process, time.Duration, error) {
	listen, admin, err := rig.FreePorts()
	if err != nil {
		return nil, 0, err
	}
	s.Dir, s.Listen, s.Admin, s.Secret = o.work, listen, admin, rand.Text()+rand.Text()
	if s.Kubeconfig == "" {
		s.Kubeconfig = filepath.Join(o.work, "kubeconfig.yaml")
	}
	for _, name := range []string{"kubeconfig.yaml", "kubesphere.yaml"} {
		if err := render(o.work, name, s); err != nil {
			return nil, 0, err
		}
	}
	start := time.Now()
	g, err := rig.Start(o.work, "postern", os.Environ(), nil, filepath.Join(o.bin, "postern"), "run", "--config", filepath.Join(o.work, "kubesphere.yaml"))
	if err != nil {
		return nil, 0, err
	}
	for ; ; time.Sleep(10 * time.Millisecond) {
		if n := synced(ctx, "http://"+admin+"/metrics"); n == 10 {
			return g, time.Since(start), nil
		}
		if err := errors.Join(g.Ended(), ctx.Err()); err != nil {
			defer g.Stop()
			return nil, 0, fmt.Errorf("the gateway has not read everything: %w\n%s", err, rig.Tail(g.Log))
		}
	}
}

// synced is how many kinds the gateway has read; 0 while it does not answer.
func synced(ctx context.Context, url string) int {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	n := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "postern_kube_store_synced{") && strings.HasSuffix(strings.TrimSpace(line), "} 1") {
			n++
		}
	}
	return n
}

// resident is a process's memory now and at its highest, in MB of a million bytes.
func resident(pid int) (now, peak float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		kilobytes, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
		if err != nil {
			continue // not a size
		}
		switch key {
		case "VmRSS":
			now = kilobytes * 1024 / 1e6
		case "VmHWM":
			peak = kilobytes * 1024 / 1e6
		}
	}
	return now, peak, nil
}

// render fills in a configuration in dir.
func render(dir, name string, data any) error {
	t, err := template.ParseFS(configs, "configs/"+name+".tmpl")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(t.Execute(f, data), f.Close())
}
