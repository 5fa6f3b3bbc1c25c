package users

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/kube"
)

// maxPlain bounds the users whose plain passwords wait to be hashed, each with at most 1 KiB of password; those beyond are
// seen again by the next scan of the store.
const maxPlain = 1024

// plain are passwords that were stored as they were typed, by name of the user: kubectl, scripts and older consoles write
// them so. They are hashed where they are, and nobody can log in by them before.
type plain struct {
	mu      sync.Mutex
	waiting map[string]stored
	more    chan struct{}
}

// stored is a plain password and the version of the user that has it.
type stored struct{ version, password string }

func (p *plain) init() { p.waiting, p.more = map[string]stored{}, make(chan struct{}, 1) }

// Plain takes note of a user whose stored password is no hash. It does not block.
func (w *Writer) Plain(name, version, password string) {
	p := &w.plain
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.waiting[name]; !known && len(p.waiting) >= maxPlain {
		return
	}
	p.waiting[name] = stored{version, password}
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// take is everything that waits.
func (p *plain) take() map[string]stored {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := maps.Clone(p.waiting)
	clear(p.waiting)
	return all
}

// again is how long what could not be written waits.
const again = 5 * time.Second

// hashPlain hashes what is found until ctx ends. Of several replicas that hash the same password one is first, and the
// others' versions are old by then.
func (w *Writer) hashPlain(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.plain.more:
		}
		for name, s := range w.plain.take() {
			err := w.hashOne(ctx, name, s)
			switch {
			case err == nil:
				w.metrics.hashed.Inc()
				w.o.Log.Info().Str("user", name).Msg("a password that was stored as plain text was hashed")
			case ctx.Err() != nil:
				return
			case kube.Conflict(err) || kube.Missing(err): // somebody was faster
			default:
				w.o.Log.Warn().Err(err).Str("user", name).Msg("cannot hash a password that was stored as plain text; the user cannot log in")
				w.later(ctx, name, s)
			}
		}
	}
}

// later tries again what failed, unless something newer has come.
func (w *Writer) later(ctx context.Context, name string, s stored) {
	time.AfterFunc(again, func() {
		w.plain.mu.Lock()
		_, newer := w.plain.waiting[name]
		w.plain.mu.Unlock()
		if ctx.Err() == nil && !newer {
			w.Plain(name, s.version, s.password)
		}
	})
}

// hashOne replaces a password by its hash. A user in no state yet becomes active, as after KubeSphere's controller.
func (w *Writer) hashOne(ctx context.Context, name string, s stored) error {
	hash, err := Hash(ctx, s.password)
	if err != nil {
		return err
	}
	patch := user{
		Metadata: meta{ResourceVersion: s.version, Annotations: map[string]string{changedAt: time.Now().UTC().Format(time.RFC3339)}},
		Spec:     userSpec{Password: hash},
	}
	if a := w.o.Store.Account(name); a == nil || a.State == "" {
		patch.Status.State = account.Active
	}
	return w.kube.Patch(ctx, userPath+"/"+name, kube.MergePatch, nil, patch, nil)
}
