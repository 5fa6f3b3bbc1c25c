package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// Options say what a Keeper is made of.
type Options struct {
	Settings
	Log     zerolog.Logger
	Metrics *Metrics // nil: nothing is counted
}

// Keeper is the Store of a gateway. There is one for the life of the process: what it knows survives every change of the
// configuration, from memory to Redis too.
type Keeper struct {
	log      zerolog.Logger
	metrics  *Metrics
	memory   *memory
	failures *failures
	settings atomic.Pointer[Settings]
	journal  *journal               // nil: none, as long as nobody has opened one
	unkept   atomic.Bool            // the journal cannot be written
	remote   atomic.Pointer[remote] // nil: memory is all

	changing sync.Mutex    // guards what follows
	retired  []*remote     // others have taken their place
	changed  chan struct{} // tells Run so
}

var _ Store = (*Keeper)(nil)

// New makes a Keeper that knows nothing, and starts nothing.
func New(o Options) *Keeper {
	k := &Keeper{log: o.Log, metrics: o.Metrics, memory: newMemory(), failures: newFailures(), changed: make(chan struct{}, 1)}
	k.metrics.watch(k)
	k.Configure(o.Settings)
	return k
}

// Open has k know what the journal at path says, and keep it there. It is called before others use k, once at most.
func (k *Keeper) Open(path string) error {
	j, damaged, err := openJournal(path, k.memory, k.journalFails)
	if err != nil {
		return err
	}
	k.journal = j
	if damaged > 0 {
		k.log.Warn().Str("file", path).Int("lines", damaged).Msg("the journal of sessions has lines that cannot be read: what they ended may be alive")
	}
	return nil
}

// journalFails logs the first of several errors, and the end of them.
func (k *Keeper) journalFails(err error) {
	switch was := k.unkept.Swap(err != nil); {
	case err != nil && !was:
		k.log.Error().Err(err).Msg("sessions that end now are in force, and forgotten should the gateway end before this is mended")
	case err == nil && was:
		k.log.Info().Msg("the journal of sessions is written again")
	}
}

// Configure makes s what k does from now on. Another Redis, or the first one, is told all that k knows.
func (k *Keeper) Configure(s Settings) {
	k.changing.Lock()
	defer k.changing.Unlock()
	k.settings.Store(&s)
	old := k.remote.Load()
	switch {
	case old == nil && s.Redis == nil, old != nil && s.Redis != nil && old.settings == *s.Redis:
		return
	case s.Redis == nil:
		k.remote.Store(nil)
	default:
		k.remote.Store(newRemote(*s.Redis, k))
	}
	if old != nil {
		k.retired = append(k.retired, old)
	}
	select {
	case k.changed <- struct{}{}:
	default: // Run has not seen the change before
	}
}

// housekeeping is how often what is over is dropped from tables that are seldom written.
const housekeeping = 5 * time.Minute

// Run works until ctx has ended: it follows Redis and drops what is over.
func (k *Keeper) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		k.runWith(ctx, k.remote.Load())
		if err := k.closeRetired(); err != nil {
			k.log.Warn().Err(err).Msg("cannot close the connections to Redis")
		}
	}
	return nil
}

// closeRetired closes what nobody follows any more, when those who use it are done.
func (k *Keeper) closeRetired() (err error) {
	k.changing.Lock()
	retired := k.retired
	k.retired = nil
	k.changing.Unlock()
	for _, r := range retired {
		err = errors.Join(err, r.close())
	}
	return err
}

// runWith follows r until another takes its place.
func (k *Keeper) runWith(ctx context.Context, r *remote) {
	inner, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	if r != nil {
		all.Go(func() { r.follow(inner) })
	}
	tick := time.NewTicker(housekeeping)
	defer tick.Stop()
	for k.remote.Load() == r && ctx.Err() == nil {
		select {
		case now := <-tick.C:
			k.memory.expire(now.UnixMilli())
		case <-k.changed:
		case <-ctx.Done():
		}
	}
	stop()
	all.Wait()
}

// Ready says why requests should not come here yet: a Redis that nobody has read may know of sessions that have ended.
func (k *Keeper) Ready() error {
	if r := k.remote.Load(); r != nil && !r.read.Load() && !k.settings.Load().Local {
		return fmt.Errorf("what has ended has not been read from Redis (cache.options) at %s", r.settings.Address)
	}
	return nil
}

// Note says what does not work as it should, though requests may come.
func (k *Keeper) Note() string {
	switch r := k.remote.Load(); {
	case r != nil && !r.up.Load():
		return "Redis is gone"
	case k.unkept.Load():
		return "the journal cannot be written"
	}
	return ""
}

// Close ends what works behind.
func (k *Keeper) Close() (err error) {
	err = k.closeRetired()
	if r := k.remote.Load(); r != nil {
		err = errors.Join(err, r.close())
	}
	if k.journal != nil {
		err = errors.Join(err, k.journal.end())
	}
	return err
}

// Ended says whether a token is over before its time. See Store.
func (k *Keeper) Ended(user, session string, issued time.Time) bool {
	return k.memory.isEnded(user, session, issued)
}

// Epoch changes whenever more has ended.
func (k *Keeper) Epoch() uint64 { return k.memory.epoch.Load() }

// EndSession ends a session. See Store.
func (k *Keeper) EndSession(ctx context.Context, session string, until time.Time) error {
	if err := k.end(ctx, record{kind: kindSession, id: session, until: lasting(until)}); err != nil {
		return fmt.Errorf("cannot end a session: %w", err)
	}
	return nil
}

// EndUser ends a user's sessions. See Store.
func (k *Keeper) EndUser(ctx context.Context, user, keep string, until time.Time) error {
	r := record{kind: kindUser, id: user, keep: keep, before: time.Now().UnixNano(), until: lasting(until)}
	if err := k.end(ctx, r); err != nil {
		return fmt.Errorf("cannot end the sessions of user %q: %w", user, err)
	}
	return nil
}

// EndOlder ends what a user had open before a session. See Store.
func (k *Keeper) EndOlder(ctx context.Context, user, session string, until time.Time) error {
	start, ok := began(session)
	if !ok {
		return fmt.Errorf("cannot end the sessions of user %q before %q: it does not tell when it began", user, session)
	}
	r := record{kind: kindUser, id: user, keep: session, before: start - 1, until: lasting(until)}
	if err := k.end(ctx, r); err != nil {
		return fmt.Errorf("cannot end the older sessions of user %q: %w", user, err)
	}
	return nil
}

// end has r in force in this process, then stored.
func (k *Keeper) end(ctx context.Context, r record) error {
	if err := r.check(); err != nil {
		return err
	}
	_, err := k.memory.learn(r, time.Now().UnixMilli())
	if err == nil {
		err = k.keep(ctx, r)
	}
	k.metrics.end(r.kind, err)
	return err
}

// keep has r stored: on the disk, should the gateway end, and for all replicas.
func (k *Keeper) keep(ctx context.Context, r record) (err error) {
	if k.journal != nil {
		err = k.journal.append(ctx, r)
	}
	if far := k.remote.Load(); far != nil && r.kind != kindOnce {
		err = errors.Join(err, far.store(ctx, r))
	}
	if k.settings.Load().Local && !errors.Is(err, ErrFull) {
		return nil // it is counted, logged and tried again
	}
	return err
}

// Once says whether id is seen for the first time. See Store.
func (k *Keeper) Once(ctx context.Context, id string, until time.Time) (first bool, err error) {
	r := record{kind: kindOnce, id: id, until: lasting(until)}
	if err = r.check(); err == nil {
		first, err = k.claim(ctx, r)
	}
	k.metrics.used(first, err)
	if err != nil {
		return false, fmt.Errorf("cannot tell whether an id is used for the first time: %w", err)
	}
	return first, nil
}

func (k *Keeper) claim(ctx context.Context, r record) (bool, error) {
	far := k.remote.Load()
	if far != nil {
		if u, ok := k.memory.once.get(r.id); ok && !u.over(time.Now().UnixMilli()) {
			return false, nil
		}
		first, err := far.claim(ctx, r)
		switch {
		case err == nil && !first:
			return false, nil
		case err != nil && !k.settings.Load().Local:
			return false, err
		case err != nil:
			far.lost.Store(true)
		}
	}
	first, err := k.memory.claim(r.id, r.until, time.Now().UnixMilli())
	if errors.Is(err, ErrFull) && far != nil && far.up.Load() {
		return true, nil // Redis knows
	}
	if err == nil && first {
		err = k.keep(ctx, r)
	}
	return first, err
}

// forever stands for tokens without end: the year 2109.
const forever until = 1 << 42

// lasting is t in milliseconds; zero is for ever.
func lasting(t time.Time) until {
	if t.IsZero() {
		return forever
	}
	return min(until(t.UnixMilli())+1, forever)
}

// Wait is how long until another attempt may be made. See Throttle.
func (k *Keeper) Wait(ctx context.Context, user, address string) time.Duration {
	t := k.settings.Load().tries(user, address)
	if len(t.counted) == 0 {
		return 0
	}
	wait := time.Duration(0)
	err := ErrUnavailable
	if r := k.remote.Load(); r != nil {
		wait, err = r.wait(ctx, t)
	}
	if err != nil {
		wait = k.failures.wait(t, time.Now())
	}
	if wait > 0 {
		k.metrics.throttled()
	}
	return wait
}

// Failed counts a failure. See Throttle. It is counted here, too, should Redis go.
func (k *Keeper) Failed(ctx context.Context, user, address string) {
	t := k.settings.Load().tries(user, address)
	if len(t.counted) == 0 {
		return
	}
	k.failures.add(t, time.Now())
	if r := k.remote.Load(); r != nil {
		_ = r.failed(ctx, t) // follow logs that Redis is gone
	}
}

// Succeeded forgets the user's failures. See Throttle.
func (k *Keeper) Succeeded(ctx context.Context, user, _ string) {
	t := k.settings.Load().tries(user, "")
	if len(t.counted) == 0 {
		return
	}
	k.failures.forget(t)
	if r := k.remote.Load(); r != nil {
		_ = r.forget(ctx, t) // follow logs that Redis is gone
	}
}
