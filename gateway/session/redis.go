package session

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/rs/zerolog"
)

// What is kept in Redis. All of it ends by itself: members of the sorted set by their score, keys by their expiry.
const (
	endedKey  = "postern:ended"   // sorted set: member a record's name, score until, in Unix milliseconds
	onceKey   = "postern:once:"   // and the id: it has been used
	failedKey = "postern:failed:" // and a hash of the user or address: how many failures
	dataKey   = "postern:data"    // random: another one, or none, says that the data are not those of before
	channel   = "postern:ended:"  // and the database, which channels do not know: each end as it comes
)

// Times of Redis. A request that needs Redis waits for at most redisTimeout, and not at all while Redis is known to be gone.
const (
	redisTimeout = 3 * time.Second
	redisDial    = 3 * time.Second
	redisSilence = 3 * time.Second // then it is asked whether it is there; after the same time without answer it is not
	redisAgain   = 200 * time.Millisecond
	redisMost    = 10 * time.Second // between two attempts to reach it
	redisClients = 16               // connections at most; Ended needs none
	maxStored    = maxEnded         // members of the sorted set: all of them fit into every replica's memory
)

// endScript stores an end, if there is room, and tells all replicas. What is over goes first.
var endScript = redis.NewScript(`
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) and not redis.call('ZSCORE', KEYS[1], ARGV[4]) then return 0 end
redis.call('ZADD', KEYS[1], 'GT', ARGV[3], ARGV[4])
redis.call('PUBLISH', ARGV[5], ARGV[6])
return 1`)

// failScript counts a failure. The time begins with the first, and anew with the one that locks.
var failScript = redis.NewScript(`
for i, key in ipairs(KEYS) do
  local n = redis.call('INCR', key)
  if n == 1 or n == tonumber(ARGV[i + 1]) then redis.call('PEXPIRE', key, ARGV[1]) end
end
return 1`)

// waitScript is for how many milliseconds one of the keys is locked.
var waitScript = redis.NewScript(`
local wait = 0
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') >= tonumber(ARGV[i]) then wait = math.max(wait, redis.call('PTTL', key)) end
end
return wait`)

// remote is one Redis. Requests use it while follow, in follow.go, says that it is up.
type remote struct {
	settings Redis
	client   *redis.Client
	memory   *memory
	metrics  *Metrics
	log      zerolog.Logger

	up     atomic.Bool   // subscribed, and read since
	read   atomic.Bool   // it has been read once
	again  chan struct{} // something could not be stored: read and store again
	lost   atomic.Bool   // ids were used that Redis does not know
	marker string        // of dataKey, as read last; follow's own

	using  sync.RWMutex
	closed bool
}

func newRemote(s Redis, k *Keeper) *remote {
	return &remote{
		settings: s, memory: k.memory, metrics: k.metrics, log: k.log, again: make(chan struct{}, 1),
		client: redis.NewClient(&redis.Options{
			Addr: s.Address, Username: s.Username, Password: s.Password, DB: s.DB, Protocol: 2,
			DialTimeout: redisDial, ReadTimeout: redisTimeout, WriteTimeout: redisTimeout, PoolTimeout: redisTimeout,
			ContextTimeoutEnabled: true, PoolSize: redisClients, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true,
			MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		}),
	}
}

// do has f use Redis. The request's end does not break it off: who leaves before a failure is counted has failed.
func (r *remote) do(ctx context.Context, f func(ctx context.Context) error) error {
	r.using.RLock()
	defer r.using.RUnlock()
	if r.closed || !r.up.Load() {
		return ErrUnavailable
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	err := f(ctx)
	if err == nil || errors.Is(err, ErrFull) {
		return err
	}
	r.metrics.redisFailed()
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// close waits for those who use it.
func (r *remote) close() error {
	r.using.Lock()
	defer r.using.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	return r.client.Close()
}

func (r *remote) channel() string { return channel + strconv.Itoa(r.settings.DB) }

// store has an end known to all replicas. What fails is stored by follow, from memory.
func (r *remote) store(ctx context.Context, e record) error {
	err := r.do(ctx, func(ctx context.Context) error {
		n, err := endScript.Run(ctx, r.client, []string{endedKey}, r.arguments(e)...).Int()
		if err == nil && n == 0 {
			return ErrFull
		}
		return err
	})
	if err != nil {
		r.wake()
	}
	return err
}

func (r *remote) arguments(e record) []any {
	return []any{time.Now().UnixMilli(), maxStored, int64(e.until), e.appendName(nil), r.channel(), e.append(nil)}
}

// wake has follow read and store again.
func (r *remote) wake() {
	select {
	case r.again <- struct{}{}:
	default: // it will
	}
}

// claim says whether id is used for the first time.
func (r *remote) claim(ctx context.Context, e record) (first bool, err error) {
	err = r.do(ctx, func(ctx context.Context) error {
		err := r.client.SetArgs(ctx, onceKey+e.id, 1, redis.SetArgs{Mode: "NX", TTL: e.until.left()}).Err()
		first = err == nil
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	return first, err
}

// left is how long something matters; at least a millisecond, Redis' shortest.
func (u until) left() time.Duration {
	return max(time.Duration(int64(u)-time.Now().UnixMilli())*time.Millisecond, time.Millisecond)
}

// failed counts for all replicas.
func (r *remote) failed(ctx context.Context, t tries) error {
	return r.do(ctx, func(ctx context.Context) error {
		keys, limits := t.redis()
		return failScript.Run(ctx, r.client, keys, append([]any{t.window.Milliseconds()}, limits...)...).Err()
	})
}

// wait is how long t has to wait.
func (r *remote) wait(ctx context.Context, t tries) (wait time.Duration, err error) {
	err = r.do(ctx, func(ctx context.Context) error {
		keys, limits := t.redis()
		ms, err := waitScript.Run(ctx, r.client, keys, limits...).Int64()
		wait = time.Duration(ms) * time.Millisecond
		return err
	})
	return wait, err
}

func (r *remote) forget(ctx context.Context, t tries) error {
	return r.do(ctx, func(ctx context.Context) error {
		keys, _ := t.redis()
		return r.client.Del(ctx, keys...).Err()
	})
}

// redis are the keys of t, and from which count on each is locked.
func (t tries) redis() (keys []string, limits []any) {
	for _, l := range t.counted {
		keys = append(keys, failedKey+string(l.what)+":"+hex.EncodeToString(l.key[:]))
		limits = append(limits, l.max)
	}
	return keys, limits
}
