package session

import (
	"context"
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
	changed  sync.Mutex  // one Configure at a time
	journal  *journal    // nil: none, as long as nobody has opened one
	unkept   atomic.Bool // the journal cannot be written
}

var _ Store = (*Keeper)(nil)

// New makes a Keeper that knows nothing, and starts nothing.
func New(o Options) *Keeper {
	k := &Keeper{log: o.Log, metrics: o.Metrics, memory: newMemory(), failures: newFailures()}
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

// Configure makes s what k does from now on.
func (k *Keeper) Configure(s Settings) {
	k.changed.Lock()
	defer k.changed.Unlock()
	k.settings.Store(&s)
}

// housekeeping is how often what is over is dropped from tables that are seldom written.
const housekeeping = 5 * time.Minute

// Run works until ctx has ended: it drops what is over.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(housekeeping)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			k.memory.expire(now.UnixMilli())
		case <-ctx.Done():
			return nil
		}
	}
}

// Close ends what works behind.
func (k *Keeper) Close() error {
	if k.journal == nil {
		return nil
	}
	return k.journal.end()
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

// keep has r on the disk, should the gateway end. Without Redis that is all there is.
func (k *Keeper) keep(ctx context.Context, r record) error {
	if k.journal == nil {
		return nil
	}
	err := k.journal.append(ctx, r)
	if k.settings.Load().Local {
		return nil // it is counted and logged
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
	first, err := k.memory.claim(r.id, r.until, time.Now().UnixMilli())
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
func (k *Keeper) Wait(_ context.Context, user, address string) time.Duration {
	wait := k.failures.wait(k.settings.Load().tries(user, address), time.Now())
	if wait > 0 {
		k.metrics.throttled()
	}
	return wait
}

// Failed counts a failure. See Throttle.
func (k *Keeper) Failed(_ context.Context, user, address string) {
	k.failures.add(k.settings.Load().tries(user, address), time.Now())
}

// Succeeded forgets the user's failures. See Throttle.
func (k *Keeper) Succeeded(_ context.Context, user, _ string) {
	k.failures.forget(k.settings.Load().tries(user, ""))
}
