// Package shared keeps the keys of tokens in a Secret of Kubernetes, so that all replicas have the same and nobody is logged
// out when one of them starts anew.
package shared

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/kube"
	"github.com/posternhq/postern/gateway/token"
)

const (
	readEvery = token.Overlap / 4 // what another replica has changed is known long before it counts
	retryMin  = 250 * time.Millisecond
	retryMax  = 10 * time.Second
)

// Options of a Keeper.
type Options struct {
	Cluster   *kube.Direct
	Namespace string // of the Secret; made if it is not there
	Log       zerolog.Logger
}

// Settings are what a configuration says.
type Settings struct {
	Token token.Options // keys that are configured come first
	// RotateEvery makes new keys when the newest are that old; 0: never. Keep is the longest life of a token, for which
	// replaced keys are still good.
	RotateEvery, Keep time.Duration
}

// wanted says whether the configuration leaves keys to the Secret.
func (s *Settings) wanted() bool { return len(s.Token.Secret) == 0 || s.Token.Signer == nil }

// Keeper puts keys in force: those that are configured at once, those of the Secret when it could be read.
type Keeper struct {
	o       Options
	ring    token.Ring
	changed chan struct{}

	mu       sync.Mutex
	settings Settings
	bundle   *token.Bundle // nil: not read yet
	problem  string        // of the last attempt; empty: none
}

// New makes a keeper that has no keys and asks nobody before Run.
func New(o Options) *Keeper { return &Keeper{o: o, changed: make(chan struct{}, 1)} }

// Ring holds the keys in force.
func (k *Keeper) Ring() *token.Ring { return &k.ring }

// Check says whether s makes keys.
func Check(s Settings) error {
	_, err := token.New(s.Token)
	return err
}

// Configure puts what s says in force, together with what was read before. Check has found s good.
func (k *Keeper) Configure(s Settings) {
	k.mu.Lock()
	k.settings = s
	k.mu.Unlock()
	k.apply()
	select {
	case k.changed <- struct{}{}:
	default: // somebody has said so already
	}
}

// Problem is why the Secret is not what it should be; empty: it is, or nobody needs it.
func (k *Keeper) Problem() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.settings.wanted() {
		return ""
	}
	return k.problem
}

// Run reads the Secret until ctx ends, makes it when it is wanted and missing, and has its keys rotated.
func (k *Keeper) Run(ctx context.Context) {
	wait := retryMin
	for {
		next := readEvery
		if !k.step(ctx) {
			next, wait = wait, min(2*wait, retryMax)
		} else {
			wait = retryMin
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-k.changed:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// step looks at the Secret once; false: it has to be tried again soon.
func (k *Keeper) step(ctx context.Context) bool {
	k.mu.Lock()
	s := k.settings
	k.mu.Unlock()
	b, err := k.current(ctx, s)
	if ctx.Err() != nil {
		return true
	}
	k.mu.Lock()
	before := k.problem
	k.problem = ""
	if err != nil {
		k.problem = err.Error()
	} else if b != nil {
		k.bundle = b
	}
	after := k.problem
	k.mu.Unlock()
	switch {
	case !s.wanted() || before == after:
	case after != "":
		k.o.Log.Warn().Err(err).Msg("the keys of tokens cannot be read: logins wait for them")
	default:
		k.o.Log.Info().Msg("the keys of tokens have been read")
	}
	k.apply()
	return err == nil || !s.wanted()
}

// current is what the Secret holds, after it was made or rotated if that is due. Nil: it is missing, and nobody needs it.
func (k *Keeper) current(ctx context.Context, s Settings) (*token.Bundle, error) {
	stored, err := read(ctx, k.o.Cluster, k.o.Namespace)
	switch {
	case err != nil:
		return nil, err
	case stored == nil && !s.wanted():
		return nil, nil //nolint:nilnil // there are none, and that is right
	case stored == nil:
		return create(ctx, k.o.Cluster, k.o.Namespace)
	case s.wanted() && s.RotateEvery > 0 && time.Since(stored.bundle.Made()) >= s.RotateEvery:
		return stored.rotate(ctx, k.o.Cluster, s.Keep)
	}
	return stored.bundle, nil
}

// apply puts keys in force. Those that grew up since the last time begin to sign.
func (k *Keeper) apply() {
	k.mu.Lock()
	defer k.mu.Unlock()
	o := k.settings.Token
	if k.bundle != nil {
		if err := k.bundle.Fill(&o, time.Now()); err != nil { // it was parsed before
			k.o.Log.Error().Err(err).Msg("the keys of tokens cannot be used")
			return
		}
	}
	keys, err := token.New(o)
	if err != nil {
		k.o.Log.Error().Err(err).Msg("the keys of tokens cannot be used")
		return
	}
	k.ring.Set(keys)
}
