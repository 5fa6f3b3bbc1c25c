package users

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
func (w *Writer) SetHistory(h History) { w.history.keep.Store(&h) }

// Record implements login.Recorder. Failures of users who do not exist are not recorded: they would let strangers write.
func (w *Writer) Record(r login.Record) {
	if r.User == "" || w.o.Store.Account(r.User) == nil {
		return
	}
	select {
	case w.history.queue <- r:
	default:
		w.metrics.dropped.Inc()
	}
}

// writeHistory writes in batches until ctx ends, and then the last one.
func (w *Writer) writeHistory(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.flush(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
			defer cancel()
			w.flush(last)
			return
		}
	}
}

// lastFlush bounds what is written at the end.
const lastFlush = 5 * time.Second

// flush writes what is queued now.
func (w *Writer) flush(ctx context.Context) {
	batch := w.batch()
	if len(batch) == 0 {
		return
	}
	work := make(chan login.Record)
	var all sync.WaitGroup
	for range min(writers, len(batch)) {
		all.Go(func() {
			for r := range work {
				w.write(ctx, r)
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
func (w *Writer) batch() (batch []login.Record) {
	type success struct{ user, kind, provider string }
	last := map[success]int{}
	for range len(w.history.queue) {
		r := <-w.history.queue
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
func (w *Writer) write(ctx context.Context, r login.Record) {
	err := w.kube.Create(ctx, records, map[string]any{
		"apiVersion": "iam.kubesphere.io/v1alpha2", "kind": "LoginRecord",
		"metadata": meta{Name: recordName(r.User, r.Time), Labels: map[string]string{userLabel: r.User}},
		"spec": map[string]any{
			"type": r.Kind, "provider": r.Provider, "sourceIP": r.SourceIP, "userAgent": cut(r.UserAgent, 256), "success": r.Success, "reason": cut(r.Reason, 256),
		},
	}, nil)
	if err == nil && r.Success {
		patch := map[string]any{"status": userStatus{LastLoginTime: r.Time.UTC().Format(time.RFC3339)}}
		err = w.kube.Patch(ctx, userPath+"/"+url.PathEscape(r.User), kube.MergePatch, nil, patch, nil)
	}
	if err != nil {
		w.metrics.dropped.Inc()
		w.o.Log.Warn().Err(err).Str("user", r.User).Msg("cannot write a login record")
		return
	}
	w.metrics.written.Inc()
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
