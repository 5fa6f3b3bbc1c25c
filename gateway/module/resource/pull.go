package resource

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/manager"
	"github.com/posternhq/postern/gateway/module/oci"
)

// want makes what a resource wants. When that fails, what was wanted before stays.
func (s *Source) want(ctx context.Context, k *known) error {
	o := k.object
	ref, err := o.Spec.reference()
	if err != nil {
		return err
	}
	rule, err := o.Spec.rollout()
	if err != nil {
		return err
	}
	if ref.Digest == "" {
		if ref, err = s.pinned(ctx, k, ref); err != nil {
			return err
		}
	}
	digest, err := s.fetched(ctx, k, ref)
	if err != nil {
		return err
	}
	if want := o.Spec.digest(); want != "" && want != digest {
		return fmt.Errorf("the source has a module with the digest sha256:%s, the resource wants sha256:%s", digest, want)
	}
	k.wanted = &manager.Wanted{
		Name: o.Metadata.Name, Digest: digest, Disabled: o.Spec.Disabled, Rollout: rule, Policy: o.Spec.policy(),
		Read:   ref.Reader(s.opts.Pull),
		Report: s.report(o.Metadata.Name),
	}
	k.wantedOf = o.Metadata.Generation
	return nil
}

// report notes what the manager says of a resource's module.
func (s *Source) report(name string) func(manager.Outcome) {
	return func(out manager.Outcome) {
		s.mu.Lock()
		s.outcomes[name] = out
		s.mu.Unlock()
		s.signal()
	}
}

var (
	errPinning = errors.New("the tag is being resolved")
	errPulling = errors.New("the module is being pulled")
)

// pinned is the reference with the digest that the resource's status has for its tag: the first replica to ask writes it
// there, so all take the same, also when the tag moves meanwhile. A new source is resolved anew.
func (s *Source) pinned(ctx context.Context, k *known, ref oci.Reference) (oci.Reference, error) {
	o := k.object
	if r := o.Status.Resolved; r != nil && r.Source == o.Spec.Source {
		return ref.At(r.Digest), nil
	}
	digest, err := s.fetched(ctx, k, ref)
	if err != nil {
		return ref, err
	}
	next := o.Status
	next.Resolved = &resolved{Source: o.Spec.Source, Digest: digest}
	k.wrote = time.Now()
	s.write(ctx, o, next)
	return ref, errPinning // the watch brings it back, ours or another replica's
}

// fetch is work with a registry: a tag is resolved to the digest of its manifest, a digest is pulled into the cache and
// becomes the digest of the module's bytes. A registry may take minutes, so it is done beside the rest.
type fetch struct {
	ref     string
	started bool
	done    bool
	digest  string
	err     error
	pause   time.Duration // after a failure; each in a row doubles it
	until   time.Time
}

// Bounds of work with registries.
const (
	firstPause = 2 * time.Second
	lastPause  = 2 * time.Minute
	atOnce     = 4
)

// fetched is what was fetched for ref, or why there is nothing: not yet, or the last failure.
func (s *Source) fetched(ctx context.Context, k *known, ref oci.Reference) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := k.fetch
	if f == nil || f.ref != ref.String() {
		f = &fetch{ref: ref.String(), err: errPulling}
		k.fetch = f
	}
	if f.done && (f.err == nil || time.Now().Before(f.until)) {
		return f.digest, f.err
	}
	if !f.started {
		f.started = true
		s.working.Go(func() { s.work(ctx, f, ref) })
	}
	return "", f.err
}

// work does one fetch when there is room.
func (s *Source) work(ctx context.Context, f *fetch, ref oci.Reference) {
	select {
	case s.room <- struct{}{}:
		defer func() { <-s.room }()
	case <-ctx.Done():
		return
	}
	digest, err := s.ask(ctx, ref)
	s.mu.Lock()
	defer s.mu.Unlock()
	f.digest, f.err, f.done, f.started = digest, err, true, false
	if err != nil {
		f.pause = min(max(2*f.pause, firstPause), lastPause)
		f.until = time.Now().Add(f.pause)
	}
	s.signal()
}

func (s *Source) ask(ctx context.Context, ref oci.Reference) (string, error) {
	if ref.Digest == "" {
		return oci.Resolve(ctx, ref, s.opts.Pull)
	}
	a, err := oci.Pull(ctx, ref, s.opts.Pull)
	if err != nil {
		return "", err
	}
	if a.Uncached != nil {
		s.opts.Log.Warn().Err(a.Uncached).Str("source", ref.String()).Msg("cannot keep a module that was pulled: it is pulled again when it is loaded")
	}
	return module.Digest(a.Bytes), nil
}
