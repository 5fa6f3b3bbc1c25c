package stack

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/posternhq/postern/bench/stack/components"
)

const (
	startTimeout = 2 * time.Minute // of one component; seconds on an idle machine
	readyPoll    = 50 * time.Millisecond
	probeTimeout = 2 * time.Second
)

// launch starts a component and waits until it is ready.
func (s *stack) launch(ctx context.Context, c components.Component) error {
	s.portsMu.Lock()
	s.book.Release(c.Ports...)
	s.portsMu.Unlock()
	started := time.Now()
	process, err := s.group.Start(c.Spec)
	if err != nil {
		return err
	}
	client, err := s.probeClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		last := probe(ctx, client, c.Ready)
		if last == nil {
			s.console.Say("%s is ready, after %.1fs", c.Name, time.Since(started).Seconds())
			return nil
		}
		select {
		case <-process.Done():
			return process.Failure()
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return fmt.Errorf("cannot start %s: not ready after %v (%w); its log: %s", c.Name, startTimeout, last, process.Log)
		case <-tick.C:
		}
	}
}

// launchAll launches components at the same time.
func (s *stack) launchAll(ctx context.Context, all ...components.Component) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, c := range all {
		group.Go(func() error { return s.launch(ctx, c) })
	}
	return group.Wait()
}

// probe asks once; an answer other than 200 is an error.
func probe(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("cannot ask %q: %w", url, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

// probeClient trusts the stack's own authority.
func (s *stack) probeClient() (*http.Client, error) {
	pool := x509.NewCertPool()
	if ca, err := os.ReadFile(s.env.PKI("ca.crt")); err == nil {
		pool.AppendCertsFromPEM(ca)
	} else {
		return nil, fmt.Errorf("cannot read the certificate authority: %w", err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	return &http.Client{Transport: transport, Timeout: probeTimeout}, nil
}
