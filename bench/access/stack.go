package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/posternhq/postern/bench/rig"
)

// startOnStack loads the platform into the development stack and starts a gateway in front of it.
func startOnStack(ctx context.Context, o options) ([]rig.Figure, error) {
	ready := filepath.Join(o.work, "ready.json")
	stack, err := rig.Start(o.work, "stack", os.Environ(), nil, filepath.Join(o.bin, "stack"), "up", "--no-gateway", "--dir", filepath.Join(o.work, "run"), "--ready-file", ready)
	if err != nil {
		return nil, err
	}
	defer stack.Stop()
	var says struct{ Kubeconfigs map[string]string }
	if err := awaitReady(ctx, stack, ready, &says); err != nil {
		return nil, err
	}
	loading, n, err := load(ctx, o, says.Kubeconfigs["admin"])
	if err != nil {
		return nil, fmt.Errorf("cannot load the platform: %w", err)
	}
	figures, err := startGateway(ctx, o, settings{Kubeconfig: says.Kubeconfigs["postern"]})
	return append(figures, rig.Told("loading", loading.Seconds(), "s", fmt.Sprintf("%d objects, %d requests at once", n, o.connections))), err
}

func awaitReady(ctx context.Context, stack *rig.Process, file string, into any) error {
	for ; ; time.Sleep(100 * time.Millisecond) {
		text, err := os.ReadFile(file)
		if err == nil {
			return json.Unmarshal(text, into)
		}
		if err := errors.Join(stack.Ended(), ctx.Err()); err != nil {
			return fmt.Errorf("the stack is not ready (make deps): %w\n%s", err, rig.Tail(stack.Log))
		}
	}
}

// load creates every object. Roles and namespaces come before what needs them.
func load(ctx context.Context, o options, kubeconfig string) (took time.Duration, n int, err error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return 0, 0, err
	}
	config.QPS = -1
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return 0, 0, err
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	start := time.Now()
	work := make(chan object)
	var all sync.WaitGroup
	for range o.connections {
		all.Go(func() {
			for object := range work {
				if err := create(ctx, client, config.Host, object); err != nil {
					cancel(err)
				}
			}
		})
	}
	for object := range o.scale.objects() {
		if ctx.Err() != nil {
			break
		}
		work <- object
		if n++; n%10_000 == 0 {
			fmt.Fprintf(os.Stderr, "  %d objects after %s\n", n, time.Since(start).Round(time.Second))
		}
	}
	close(work)
	all.Wait()
	return time.Since(start), n, context.Cause(ctx)
}

func create(ctx context.Context, client *http.Client, host string, o object) error {
	for {
		code, text, err := post(ctx, client, host+o.of.path(o.namespace), o.json(""))
		switch {
		case err != nil:
			return err
		case code/100 == 2 || code == http.StatusConflict:
			return nil
		case code != http.StatusTooManyRequests && code/100 != 5:
			return fmt.Errorf("%s %q: status %d: %s", o.of.kind, o.name, code, text)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Second):
		}
	}
}

func post(ctx context.Context, client *http.Client, url, body string) (int, string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewBufferString(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, string(text), err
}
