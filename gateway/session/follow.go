package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	readPage  = 10_000 // members read at once: some MB
	storePage = 500    // commands sent at once
	syncLimit = 2 * time.Minute
)

var errSilent = errors.New("it does not answer")

// follow learns what ends elsewhere, until ctx has ended. A connection that breaks may have lost messages, so each begins
// with subscribing and then reading everything; what this process knows and Redis does not is stored then: what could not be
// stored in time, and everything if Redis has come back empty.
func (r *remote) follow(ctx context.Context) {
	pause := redisAgain
	told := false
	for ctx.Err() == nil {
		began := time.Now()
		err := r.listen(ctx, &told)
		r.up.Store(false)
		if ctx.Err() != nil {
			return
		}
		if !told {
			r.log.Error().Err(err).Str("address", r.settings.Address).Msg("Redis is gone: what has ended is known as far as it was read, and each replica counts failed logins alone")
			told = true
		}
		if pause = min(2*pause, redisMost); time.Since(began) > redisMost {
			pause = redisAgain
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// listen is one connection. told is whether the log says that Redis is gone.
func (r *remote) listen(ctx context.Context, told *bool) error {
	messages := r.client.Subscribe(ctx)
	defer func() { _ = messages.Close() }()                         // what matters is the error before
	defer context.AfterFunc(ctx, func() { _ = messages.Close() })() // ends a Receive that waits
	if err := messages.Subscribe(ctx, r.channel()); err != nil {
		return fmt.Errorf("cannot subscribe: %w", err)
	}
	if _, err := messages.ReceiveTimeout(ctx, redisDial); err != nil {
		return fmt.Errorf("cannot subscribe: %w", err)
	}
	if err := r.sync(ctx); err != nil {
		return err
	}
	r.up.Store(true)
	r.read.Store(true)
	if *told {
		r.log.Info().Str("address", r.settings.Address).Msg("Redis is there again, and has been read")
		*told = false
	}
	asked := false
	for {
		message, err := messages.ReceiveTimeout(ctx, redisSilence)
		switch {
		case err == nil:
			asked = false
			r.hear(message)
		case !timeout(err) || ctx.Err() != nil:
			return err
		case asked:
			return errSilent
		default:
			if err := messages.Ping(ctx); err != nil {
				return err
			}
			asked = true
		}
		select {
		case <-r.again:
			if err := r.sync(ctx); err != nil {
				return err
			}
		default:
		}
	}
}

func timeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// hear learns what a message says.
func (r *remote) hear(message any) {
	m, ok := message.(*redis.Message)
	if !ok {
		return // subscribed again, or the answer to a ping
	}
	e, err := parse(m.Payload)
	if err == nil && e.kind != kindOnce {
		_, err = r.memory.learn(e, time.Now().UnixMilli())
	}
	if err != nil {
		r.metrics.redisFailed()
		r.log.Error().Err(err).Msg("cannot learn from Redis what has ended")
	}
}

// sync reads everything from Redis, and stores there what it lacks.
func (r *remote) sync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, syncLimit)
	defer cancel()
	there, err := r.readAll(ctx)
	if err != nil {
		return fmt.Errorf("cannot read what has ended: %w", err)
	}
	marker, err := r.data(ctx)
	if err != nil {
		return fmt.Errorf("cannot read whose data they are: %w", err)
	}
	// All ids if these are not the data of before, or if some were used while Redis was gone.
	ids := r.lost.Swap(false) || marker != r.marker
	if err := r.storeMissing(ctx, there, ids); err != nil {
		r.lost.Store(r.lost.Load() || ids)
		return fmt.Errorf("cannot store what has ended: %w", err)
	}
	r.marker = marker
	r.metrics.redisRead()
	return nil
}

// data is what tells these data from others.
func (r *remote) data(ctx context.Context) (string, error) {
	err := r.client.SetArgs(ctx, dataKey, rand.Text(), redis.SetArgs{Mode: "NX"}).Err()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", err
	}
	return r.client.Get(ctx, dataKey).Result()
}

// present are hashes of the names of records, and until when each is remembered.
type present struct {
	seed  maphash.Seed
	until map[uint64]until
}

// readAll learns everything, page by page from what ends last: what is added meanwhile moves the rest back, so that it is
// read twice and nothing is passed over; what is dropped meanwhile is at the other end.
func (r *remote) readAll(ctx context.Context) (present, error) {
	there := present{seed: maphash.MakeSeed(), until: map[uint64]until{}}
	full := 0
	for start := int64(0); ; start += readPage {
		page, err := r.client.ZRevRangeWithScores(ctx, endedKey, start, start+readPage-1).Result()
		if err != nil {
			return there, err
		}
		now := time.Now().UnixMilli()
		for _, z := range page {
			name, _ := z.Member.(string)
			e, err := parseName(name)
			if err != nil || e.kind == kindOnce {
				continue // a newer version's
			}
			e.until = until(z.Score)
			there.until[maphash.String(there.seed, name)] = e.until
			if _, err := r.memory.learn(e, now); err != nil {
				full++
			}
		}
		if len(page) < readPage {
			if full > 0 {
				r.log.Error().Int("sessions", full).Err(ErrFull).Msg("cannot remember all that has ended")
			}
			return there, nil
		}
	}
}

// storeMissing stores what memory knows and Redis does not.
func (r *remote) storeMissing(ctx context.Context, there present, ids bool) (err error) {
	pipe := r.client.Pipeline()
	flush := func(least int) {
		if err != nil || pipe.Len() < least || pipe.Len() == 0 {
			return
		}
		if _, failed := pipe.Exec(ctx); failed != nil && !errors.Is(failed, redis.Nil) {
			err = failed
		}
	}
	r.memory.each(time.Now().UnixMilli(), func(e record) bool {
		switch name := e.appendName(nil); {
		case e.kind == kindOnce && ids:
			pipe.SetArgs(ctx, onceKey+e.id, 1, redis.SetArgs{Mode: "NX", TTL: e.until.left()})
		case e.kind != kindOnce && there.until[maphash.Bytes(there.seed, name)] < e.until:
			endScript.Eval(ctx, pipe, []string{endedKey}, r.arguments(e)...)
		}
		flush(storePage)
		return err == nil
	})
	flush(1)
	return err
}
