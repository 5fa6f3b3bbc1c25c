package users

import (
	"context"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/posternhq/postern/gateway/kube"
)

const (
	sweepEvery = 10 * time.Minute
	sweepPage  = 500
)

// sweep deletes login records that are not kept, now and then until ctx ends. Replicas begin at different times; what one
// has deleted is gone for the others.
func (w *Writer) sweep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepEvery/2 + rand.N(sweepEvery)):
		}
		if err := w.Sweep(ctx, time.Now()); err != nil && ctx.Err() == nil && !kube.Missing(err) {
			w.o.Log.Warn().Err(err).Msg("cannot delete old login records")
		}
	}
}

// recordList is a page of records.
type recordList struct {
	Metadata struct{ Continue string }
	Items    []struct {
		Metadata struct {
			Name              string
			CreationTimestamp time.Time
			Labels            map[string]string
		}
	}
}

// Sweep deletes the records that are too old at now, and those of a user beyond the number that is kept. It remembers one
// page, and a count: our records of one user stand together, the newest first. Of those that somebody else has written, in
// any order, the age alone decides.
func (w *Writer) Sweep(ctx context.Context, now time.Time) error {
	keep := *w.history.keep.Load()
	query := url.Values{"limit": {strconv.Itoa(sweepPage)}}
	run, count := "", 0
	for {
		var page recordList
		if err := w.kube.Get(ctx, records, query, &page); err != nil {
			return err
		}
		for _, r := range page.Items {
			m := r.Metadata
			if prefix := recordPrefix(m.Labels[userLabel]); !strings.HasPrefix(m.Name, prefix) {
				run, count = "", 0
			} else if run != prefix {
				run, count = prefix, 1
			} else {
				count++
			}
			old := keep.Retention > 0 && now.Sub(m.CreationTimestamp) > keep.Retention
			if !old && (keep.Entries == 0 || count <= keep.Entries) {
				continue
			}
			if err := w.kube.Delete(ctx, records+"/"+url.PathEscape(m.Name)); err != nil && !kube.Missing(err) {
				return err
			}
			w.metrics.deleted.Inc()
		}
		if page.Metadata.Continue == "" {
			return nil
		}
		query.Set("continue", page.Metadata.Continue)
	}
}
