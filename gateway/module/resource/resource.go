// Package resource serves what Module resources of Kubernetes want: every replica of the gateway watches them, pulls the
// same bytes by digest, and says in the resource's status how it does. Kubernetes is the distribution engine.
package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"k8s.io/client-go/rest"

	"github.com/posternhq/postern/gateway/kube"
	"github.com/posternhq/postern/gateway/module/manager"
	"github.com/posternhq/postern/gateway/module/oci"
)

// Options configure a Source.
type Options struct {
	Config  *rest.Config
	Manager *manager.Manager
	// Replica is this gateway's name among those of the cluster.
	Replica string
	// Pull says how registries are reached. With a cache a known digest needs no registry.
	Pull oci.Options
	Log  zerolog.Logger
}

// Source is the manager's source of what resources want. Its memory is the resources'; modules' bytes are read from the
// cache when they are loaded.
type Source struct {
	opts  Options
	kube  *kube.Collection
	wake  chan struct{}
	known map[string]*known // by the resource's name; of Run's goroutine only
	asked []asked           // what the manager was last told to serve

	working sync.WaitGroup
	room    chan struct{} // a slot for each fetch

	mu       sync.Mutex                 // guards outcomes, and the fields of each fetch
	outcomes map[string]manager.Outcome // by the resource's name, as the manager last told
}

// known is what this replica has made of one resource.
type known struct {
	object *object
	wanted *manager.Wanted // nil until it could be pulled once
	// wantedOf is the generation of the resource that wanted was made of.
	wantedOf int64
	err      error     // why the resource as it is now cannot be served
	fetch    *fetch    // of what it names now
	wrote    time.Time // when its status was last written
}

const (
	writePause = 500 * time.Millisecond // between writes of one status
	look       = 5 * time.Second        // for what has to be tried or said again
)

// New makes a source. It connects to nothing before Run.
func New(opts Options) (*Source, error) {
	s := &Source{
		opts: opts, wake: make(chan struct{}, 1), known: map[string]*known{}, room: make(chan struct{}, atOnce),
		outcomes: map[string]manager.Outcome{},
	}
	var err error
	s.kube, err = kube.NewCollection(opts.Config, Group, Kind, opts.Log, s.signal)
	if err != nil {
		return nil, fmt.Errorf("cannot watch Module resources: %w", err)
	}
	return s, nil
}

// Run follows the resources until ctx ends; then it takes this replica's word out of their status. It returns nil.
func (s *Source) Run(ctx context.Context) error {
	var following sync.WaitGroup
	following.Go(func() { s.kube.Run(ctx) })
	tick := time.NewTicker(look)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-s.wake:
		}
		if s.kube.Synced() && ctx.Err() == nil {
			s.follow(ctx)
		}
	}
	following.Wait()
	s.working.Wait()
	s.leave()
	return nil
}

func (s *Source) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// follow makes what is wanted of what there is, then says how it goes.
func (s *Source) follow(ctx context.Context) {
	there := map[string]bool{}
	for _, text := range s.kube.All() {
		o, err := read(*text)
		if o.Metadata.Name == "" || o.Metadata.DeletionTimestamp != "" {
			continue
		}
		there[o.Metadata.Name] = true
		k := s.known[o.Metadata.Name]
		if k == nil {
			k = new(known)
			s.known[o.Metadata.Name] = k
		}
		k.object = o
		if err == nil {
			err = s.want(ctx, k)
		}
		k.err = err
	}
	for name := range s.known {
		if !there[name] {
			s.forget(name)
		}
	}
	s.set()
	for _, k := range s.known {
		s.tell(ctx, k)
	}
}

func (s *Source) forget(name string) {
	delete(s.known, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.outcomes, name)
}

// asked is what tells one wanted module from another.
type asked struct {
	name, digest string
	generation   int64
}

// set hands the manager what is wanted, when that has changed.
func (s *Source) set() {
	var all []manager.Wanted
	var now []asked
	for _, name := range slices.Sorted(maps.Keys(s.known)) {
		if k := s.known[name]; k.wanted != nil {
			all = append(all, *k.wanted)
			now = append(now, asked{name, k.wanted.Digest, k.wantedOf})
		}
	}
	if slices.Equal(now, s.asked) {
		return
	}
	if err := s.opts.Manager.Set("resources", all); err != nil {
		s.opts.Log.Error().Err(err).Msg("cannot serve what Module resources want")
	}
	s.asked = now
}

// tell writes this replica's word into a resource's status, if it is news.
func (s *Source) tell(ctx context.Context, k *known) {
	now := time.Now().UTC().Truncate(time.Second)
	o := k.object
	next := o.Status.says(s.word(k), o.Metadata.Generation, now)
	if reflect.DeepEqual(next, o.Status) {
		return
	}
	if wait := writePause - time.Since(k.wrote); wait > 0 {
		time.AfterFunc(wait, s.signal)
		return
	}
	k.wrote = time.Now()
	s.write(ctx, o, next)
}

// word is what this replica says of a resource.
func (s *Source) word(k *known) replica {
	s.mu.Lock()
	outcome, told := s.outcomes[k.object.Metadata.Name]
	s.mu.Unlock()
	if !told {
		outcome.State = manager.State("Pending")
	}
	if k.err != nil { // it goes before what the manager says: that is about what was wanted before
		outcome.Err = k.err
	}
	return word(s.opts.Replica, outcome, k.object.Metadata.Generation)
}

// write puts a status. When somebody else was faster, the watch brings what they wrote, and it is tried again.
func (s *Source) write(ctx context.Context, o *object, next status) {
	var whole map[string]any
	err := json.Unmarshal(o.text, &whole)
	if err == nil {
		whole["status"] = next
		var text []byte
		if text, err = json.Marshal(whole); err == nil {
			err = s.kube.PutStatus(ctx, o.Metadata.Name, text)
		}
	}
	if err != nil && !kube.Conflict(err) && !kube.Missing(err) && !errors.Is(err, context.Canceled) {
		s.opts.Log.Warn().Err(err).Str("resource", o.Metadata.Name).Msg("cannot say in the resource how its module does")
	}
}

// leaveTimeout bounds the last writes.
const leaveTimeout = 3 * time.Second

// leave takes this replica out of all statuses: who looks shall not wait for a gateway that has ended.
func (s *Source) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	now := time.Now().UTC().Truncate(time.Second)
	for _, k := range s.known {
		o := k.object
		if next := o.Status.without(s.opts.Replica, o.Metadata.Generation, now); len(next.Replicas) < len(o.Status.Replicas) {
			s.write(ctx, o, next)
		}
	}
}
