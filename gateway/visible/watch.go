package visible

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
)

// settle is how long changes of rights are collected before a watch looks whether they are its caller's. What is shown
// meanwhile is decided by the rights as they are.
const settle = time.Second

// errChanged ends a watch whose caller's rights have changed.
var errChanged = errors.New("what may be seen has changed")

// changedMessage is what clients read of it.
const changedMessage = "too old resource version: what you may see has changed, list again"

// watch answers with a watch.
func (v *view) watch(x *exchange.Exchange) {
	if v.query.initial && v.wholeWatch() {
		// In the words of a kube-apiserver without the feature WatchList, behind which clients list, then watch.
		status.Write(x, status.Invalid, "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for a watch that shows what one may see")
		return
	}
	if err := v.sameEra(x.Context()); err != nil {
		fail(x, err)
		return
	}
	v.stage.metrics.request("watch")
	v.stream(x, v.follow)
}

// watchTarget is the one watch of kube-apiserver's that has all that may be seen, and as little else as may be.
func (v *view) watchTarget() string {
	q, r, info := url.Values{}, &v.rights, &v.caller.info
	for key, values := range v.query.rest {
		q[key] = values
	}
	labels, fields, path := v.query.labels, v.query.fields, listPath(info, "")
	switch {
	case v.namespaced && len(r.namespaces) == 1:
		path = listPath(info, r.namespaces[0])
	case v.namespaced, len(r.names) > 0 && len(r.workspaces) > 0, len(r.names) > 1:
	case len(r.workspaces) > 0:
		labels = and(v.ofWorkspaces(), labels)
	case len(r.names) == 1:
		fields = and("metadata.name="+r.names[0], fields)
	default:
		fields = "metadata.name=" + noName
	}
	q.Set("watch", "1")
	for key, value := range map[string]string{
		"labelSelector": labels, "fieldSelector": fields,
		"resourceVersion": v.query.version, "resourceVersionMatch": v.query.match,
	} {
		if value != "" {
			q.Set(key, value)
		}
	}
	return path + "?" + q.Encode()
}

// follow writes the events of what may be seen. When that changes it ends with 410, so that the client lists anew.
func (v *view) follow(ctx context.Context, w io.Writer, begin func(contentType string)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var guarding sync.WaitGroup
	guarding.Go(func() { v.guardRights(ctx, cancel) })
	defer guarding.Wait()
	defer cancel(nil)
	v.stage.metrics.watching(1)
	defer v.stage.metrics.watching(-1)
	if err := v.seed(ctx); err != nil {
		return err
	}
	begun := false
	err := v.stage.ask(ctx, &v.caller, v.watchTarget(), func(a *answer) error {
		if a.code != 200 {
			return refused(a)
		}
		begun = true
		begin(a.contentType)
		return v.events(a.body, w)
	})
	var r *refusal
	switch {
	case err == io.EOF:
		return nil
	case !errors.Is(err, errChanged):
		return err
	case !begun:
		return &refusal{reason: status.Expired, message: changedMessage}
	case errors.As(err, &r):
		return err
	}
	_, err = w.Write(changedEvent)
	return err
}

// changedEvent is how a watch ends whose caller's rights have changed.
var changedEvent = func() []byte {
	object := status.Append(nil, status.Expired, status.Expired.Code(), changedMessage, "", exchange.RequestInfo{})
	return fmt.Appendf(nil, "{\"type\":\"ERROR\",\"object\":%s}\n", object[:len(object)-1])
}()

// guardRights cancels a watch with errChanged when the caller's rights are no longer those that it began with.
func (v *view) guardRights(ctx context.Context, cancel context.CancelCauseFunc) {
	err := guard(func() error {
		for changed := v.changed; ; {
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
			}
			if !wait(ctx, settle) {
				return nil
			}
			changed = v.stage.o.Authorizer.Changed() // before the rights are read
			if now := v.stage.rightsOf(v.caller.user, &v.caller.info); !now.equal(&v.rights) {
				return errChanged
			}
		}
	})
	if err != nil {
		cancel(err)
	}
}

// wait waits; false: ctx has ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// events copies the events of what may be seen, each as it was received and in one write. io.EOF: kube-apiserver has ended
// the watch.
func (v *view) events(r io.Reader, w io.Writer) error {
	in, m := newValues(r), v.stage.metrics
	for {
		event, err := in.value()
		if err != nil {
			return err
		}
		show, err := v.show(event)
		if err != nil {
			return err
		}
		if m.event(show); !show {
			continue
		}
		line, ended := in.line(event)
		if !ended {
			line = append(slices.Clone(line), '\n')
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
}

// show decides about an event, by the rights as they are now. An event without object to decide about is a bookmark, or
// an error of the watch; others are not shown.
func (v *view) show(event []byte) (bool, error) {
	var kind, object []byte
	each(event, func(key, rest []byte) bool {
		switch string(key) {
		case "type":
			kind = str(rest)
		case "object":
			object = rest
		}
		return kind == nil || object == nil
	})
	switch string(kind) {
	case "BOOKMARK", "ERROR":
		return true, nil
	case "ADDED", "MODIFIED", "DELETED":
		return v.showObject(object)
	}
	return false, nil
}

// showObject decides about an object, or about all rows of a Table.
func (v *view) showObject(object []byte) (show bool, err error) {
	if !isTable(object) {
		return v.permitted(object)
	}
	elements(member(object, "rows"), func(row []byte) bool {
		show, err = v.permitted(member(row, "object"))
		return show && err == nil
	})
	return show, err
}

func isTable(object []byte) bool {
	return string(str(member(object, "kind"))) == "Table"
}

// sameEra refuses a watch from a version at which the caller's rights may have been others.
func (v *view) sameEra(ctx context.Context) error {
	from, err := strconv.ParseUint(v.query.version, 10, 64)
	if err != nil || from == 0 {
		return nil // the state comes first: nothing can be missing
	}
	key, hash := eraKey(v.caller.user, &v.caller.info), v.rights.hash()
	since, ok := v.stage.eras.of(key, hash)
	if !ok {
		if since, err = v.now(ctx); err != nil {
			return err
		}
		v.stage.eras.begin(key, hash, since)
	}
	if from < since {
		return &refusal{reason: status.Expired, message: changedMessage}
	}
	return nil
}

// listed notes that the caller has been given what these rights show at version, if that is the latest.
func (v *view) listed(version string) {
	if at, err := strconv.ParseUint(version, 10, 64); err == nil && v.query.token == "" && v.query.version == "" {
		v.stage.eras.begin(eraKey(v.caller.user, &v.caller.info), v.toWatch, at)
	}
}

// now is the resource's version at this moment; 0 where versions are no numbers.
func (v *view) now(ctx context.Context) (version uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, kindsLimit)
	defer cancel()
	s := v.nothing()
	c := v.caller
	c.accept = mediaJSON
	err = v.stage.ask(ctx, &c, s.path+"?"+url.Values{"fieldSelector": {s.fields}}.Encode(), func(a *answer) error {
		if a.code != 200 {
			return refused(a)
		}
		var list struct {
			Metadata struct{ ResourceVersion string }
		}
		if err := json.NewDecoder(io.LimitReader(a.body, maxAnswer)).Decode(&list); err != nil {
			return errSyntax
		}
		version, _ = strconv.ParseUint(list.Metadata.ResourceVersion, 10, 64)
		return nil
	})
	return version, err
}
