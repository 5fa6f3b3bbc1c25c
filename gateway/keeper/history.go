package keeper

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posternhq/postern/gateway/kube"
	"github.com/posternhq/postern/gateway/login"
)

const records = group + "loginrecords"

// History says which login records are kept.
type History struct {
	Retention time.Duration // older ones are deleted; 0: none for its age
	Entries   int           // so many of each user; 0: none for its number
}

const (
	// maxQueued bounds the records that wait to be written, each some 500 bytes. More are dropped and counted.
	maxQueued = 4096
	// flushEvery is how long records are gathered: of the successes of a user within it only the last is written.
	flushEvery = time.Second
	// writers is how many records are written at once.
	writers = 8
)

// history is what waits to be written, and what is kept.
type history struct {
	queue chan login.Record
	keep  atomic.Pointer[History]
}

func (h *history) init(keep History) {
	h.queue = make(chan login.Record, maxQueued)
	h.keep.Store(&keep)
}

// SetHistory changes what is kept.
func (k *Keeper) SetHistory(h History) { k.history.keep.Store(&h) }

// Record implements login.Recorder. Failures of users who do not exist are not recorded: they would let strangers write.
func (k *Keeper) Record(r login.Record) {
	if r.User == "" || k.o.Store.Account(r.User) == nil {
		return
	}
	select {
	case k.history.queue <- r:
	default:
		k.metrics.dropped.Inc()
	}
}

// writeHistory writes in batches until ctx ends, and then the last one.
func (k *Keeper) writeHistory(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			k.flush(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
			defer cancel()
			k.flush(last)
			return
		}
	}
}

// lastFlush bounds what is written at the end.
const lastFlush = 5 * time.Second

// flush writes what is queued now.
func (k *Keeper) flush(ctx context.Context) {
	batch := k.batch()
	if len(batch) == 0 {
		return
	}
	work := make(chan login.Record)
	var all sync.WaitGroup
	for range min(writers, len(batch)) {
		all.Go(func() {
			for r := range work {
				k.write(ctx, r)
			}
		})
	}
	for _, r := range batch {
		work <- r
	}
	close(work)
	all.Wait()
}

// batch is what is queued, of each user's successes of one kind the last.
func (k *Keeper) batch() (batch []login.Record) {
	type success struct{ user, kind, provider string }
	last := map[success]int{}
	for range len(k.history.queue) {
		r := <-k.history.queue
		if r.Success {
			key := success{r.User, r.Kind, r.Provider}
			if i, again := last[key]; again {
				batch[i] = r
				continue
			}
			last[key] = len(batch)
		}
		batch = append(batch, r)
	}
	return batch
}

// write writes one record, and a success into the user's status.
func (k *Keeper) write(ctx context.Context, r login.Record) {
	err := k.kube.Create(ctx, records, map[string]any{
		"apiVersion": "iam.kubesphere.io/v1alpha2", "kind": "LoginRecord",
		"metadata": meta{Name: recordName(r.User, r.Time), Labels: map[string]string{userLabel: r.User}},
		"spec": map[string]any{
			"type": r.Kind, "provider": r.Provider, "sourceIP": r.SourceIP, "userAgent": cut(r.UserAgent, 256), "success": r.Success, "reason": cut(r.Reason, 256),
		},
	}, nil)
	if err == nil && r.Success {
		patch := map[string]any{"status": userStatus{LastLoginTime: r.Time.UTC().Format(time.RFC3339)}}
		err = k.kube.Patch(ctx, users+"/"+url.PathEscape(r.User), kube.MergePatch, nil, patch, nil)
	}
	if err != nil {
		k.metrics.dropped.Inc()
		k.o.Log.Warn().Err(err).Str("user", r.User).Msg("cannot write a login record")
		return
	}
	k.metrics.written.Inc()
}

// recordName sorts the records of one user together, the newest first, so that a sweep needs to remember none.
func recordName(user string, at time.Time) string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	return fmt.Sprintf("%s%016x-%s", recordPrefix(user), ^uint64(at.UnixNano()), hex.EncodeToString(random[:]))
}

func recordPrefix(user string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(user)) // never fails
	return fmt.Sprintf("login-%016x-", h.Sum64())
}

// cut is s without what is behind n bytes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n]
}
