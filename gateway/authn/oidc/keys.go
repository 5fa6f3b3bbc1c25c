package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	fetchTimeout = 5 * time.Second  // for discovery and keys together
	refreshAfter = time.Hour        // keys this old are read again; until they are, they are good
	askEvery     = 10 * time.Second // at most, whatever kids tokens name
	maxAnswer    = 1 << 20          // bytes
	maxKeys      = 100
)

var errClosed = errors.New("the configuration has changed")

// keys are the public keys of an issuer, as it last told them.
type keys struct {
	fetch func(ctx context.Context) ([]jose.JSONWebKey, error)

	mu      sync.Mutex
	all     []jose.JSONWebKey
	read    time.Time // zero: never
	asked   time.Time
	asking  chan struct{} // closed when the answer is there; nil: nobody is asking
	problem error         // of the last question
	stop    context.CancelFunc
	closed  bool
}

// named are the keys that may have signed a token whose header names kid; an empty one names all. Keys that are not known are
// asked for, and waited for until ctx ends.
func (k *keys) named(ctx context.Context, kid string) ([]jose.JSONWebKey, error) {
	k.mu.Lock()
	found := k.find(kid)
	var asking chan struct{}
	if len(found) == 0 || time.Since(k.read) > refreshAfter {
		asking = k.ask()
	}
	problem := k.problem
	k.mu.Unlock()
	if len(found) > 0 {
		return found, nil
	}
	if asking == nil && problem != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, problem)
	}
	if asking == nil {
		return nil, errKey
	}
	select {
	case <-asking:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch found = k.find(kid); {
	case len(found) > 0:
		return found, nil
	case k.problem != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, k.problem)
	}
	return nil, errKey
}

func (k *keys) find(kid string) (found []jose.JSONWebKey) {
	for _, key := range k.all {
		if kid == "" || key.KeyID == kid {
			found = append(found, key)
		}
	}
	return found
}

// ask has the keys read again, unless that is being done or was just done. The answer is for everybody: it does not end with
// the request that asked.
func (k *keys) ask() chan struct{} {
	if k.asking != nil || k.closed || !k.asked.IsZero() && time.Since(k.asked) < askEvery {
		return k.asking
	}
	done := make(chan struct{})
	ctx, stop := context.WithTimeout(context.Background(), fetchTimeout)
	k.asking, k.asked, k.stop = done, time.Now(), stop
	go func() {
		defer stop()
		all, err := k.fetch(ctx)
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.problem = err; err == nil {
			k.all, k.read = all, time.Now()
		}
		k.asking = nil
		close(done)
	}()
	return done
}

func (k *keys) close() {
	k.mu.Lock()
	k.closed, k.problem = true, errClosed
	asking, stop := k.asking, k.stop
	k.mu.Unlock()
	if asking != nil {
		stop()
		<-asking
	}
}

// fetch reads where the keys are, then the keys.
func (i *Issuer) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	var about struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := i.get(ctx, strings.TrimSuffix(i.o.URL, "/")+"/.well-known/openid-configuration", &about); err != nil {
		return nil, err
	}
	if about.Issuer != i.o.URL {
		return nil, fmt.Errorf("issuer %q says that it is %q", i.o.URL, about.Issuer)
	}
	if err := i.secure(about.JWKSURI); err != nil {
		return nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := i.get(ctx, about.JWKSURI, &set); err != nil {
		return nil, err
	}
	var all []jose.JSONWebKey
	for _, text := range set.Keys[:min(len(set.Keys), maxKeys)] {
		var k jose.JSONWebKey
		// Keys of kinds that are not known may stand beside those that are.
		if k.UnmarshalJSON(text) == nil && k.Valid() && k.IsPublic() && (k.Use == "" || k.Use == "sig") {
			all = append(all, k)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no key at %q", about.JWKSURI)
	}
	return all, nil
}

// get reads JSON.
func (i *Issuer) get(ctx context.Context, from string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return fmt.Errorf("cannot ask %q: %w", from, err)
	}
	r.Header.Set("Accept", "application/json")
	answer, err := i.http.Do(r)
	if err != nil {
		return fmt.Errorf("cannot ask issuer: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%q answers %d", from, answer.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("cannot read %q: %w", from, err)
	}
	if len(text) > maxAnswer {
		return fmt.Errorf("%q answers more than %d bytes", from, maxAnswer)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("cannot read %q: %w", from, err)
	}
	return nil
}
