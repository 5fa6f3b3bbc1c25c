package kube

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/posternhq/postern/gateway/module/data"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

const (
	pageSize    = 500              // objects a request, while a resource is read
	pageBytes   = 32 << 20         // bytes a page; 500 objects of 64 KiB
	pageTimeout = 60 * time.Second // kube-apiserver's own limit
	// watchSeconds is how long a watch lasts before it is taken up again, as client-go's: 5 to 10 minutes.
	watchSeconds = 300
	// maxEvent bounds a watch event, bytes: an object has at most 1.5 MiB in etcd, and twice that is room for escapes.
	maxEvent = 4 << 20
)

// url is the resource's address with a query.
func (w *watched) url(query url.Values) string {
	path := []string{"apis", w.key.group, w.key.version, w.key.resource}
	if w.key.group == "" {
		path = []string{"api", w.key.version, w.key.resource}
	}
	u := w.c.s.base.JoinPath(path...)
	u.RawQuery = query.Encode()
	return u.String()
}

// open sends a GET; the caller closes the body. An answer other than 200 is an error.
func (w *watched) open(ctx context.Context, query url.Values) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url(query), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "postern/cache")
	resp, err := w.c.s.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	body, _ := service.ReadBody(resp.Body, -1, pageBytes)
	return nil, statusError(resp.StatusCode, body)
}

// statusError is an answer, or a watch event, that is an error.
func statusError(status int, body []byte) error {
	switch status {
	case http.StatusGone:
		return errExpired
	case http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusBadRequest:
		return fmt.Errorf("%w: %s", errRefused, message(status, body))
	}
	return errors.New(message(status, body))
}

// fill lists the resource, page by page, and replaces the store's content.
func (w *watched) fill(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*pageTimeout)
	defer cancel()
	next := &store{objects: make(map[string][]byte)}
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	for {
		page, err := w.page(ctx, query)
		if err != nil {
			return err
		}
		if err := next.add(page); err != nil {
			return err
		}
		if err := w.fits(next); err != nil {
			return err
		}
		more := text(page, "/metadata/continue")
		if more == "" {
			next.version = text(page, "/metadata/resourceVersion")
			w.store.replace(next)
			return nil
		}
		query.Set("continue", more)
	}
}

func (w *watched) page(ctx context.Context, query url.Values) ([]byte, error) {
	resp, err := w.open(ctx, query)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := service.ReadBody(resp.Body, resp.ContentLength, pageBytes)
	if errors.Is(err, hostabi.TooLarge) {
		return nil, fmt.Errorf("%w: %v", errTooLarge, err)
	}
	return body, err
}

// add takes over a page's objects.
func (s *store) add(page []byte) error {
	s.kind = strings.TrimSuffix(text(page, "/kind"), "List")
	s.apiVersion = text(page, "/apiVersion")
	items, ok := data.Get(page, "/items")
	if !ok {
		return fmt.Errorf("cannot use a list without items: %.80q", page)
	}
	if _, typed := data.Get(items, "/0/kind"); typed {
		s.inItems = true
	}
	var err error
	data.Each(items, func(raw []byte) bool {
		err = s.keep(raw)
		return err == nil
	})
	return err
}

// keep shrinks an object and puts it.
func (s *store) keep(raw []byte) error {
	k, err := identify(raw)
	if err != nil {
		return err
	}
	small, err := shrink(raw)
	if err != nil {
		return err
	}
	s.put(k, small)
	return nil
}

// stream watches from the store's version on. It ends without an error when kube-apiserver ends it in good order.
func (w *watched) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := w.open(ctx, url.Values{
		"watch": {"1"}, "allowWatchBookmarks": {"true"}, "resourceVersion": {w.store.at()},
		"timeoutSeconds": {strconv.Itoa(watchSeconds + int(time.Now().UnixNano()%watchSeconds))},
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	w.enter(ready)
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 4<<10), maxEvent)
	for lines.Scan() {
		if err := w.event(lines.Bytes()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// event applies one event.
func (w *watched) event(line []byte) error {
	if len(line) == 0 {
		return nil
	}
	object, ok := data.Get(line, "/object")
	if !ok {
		return fmt.Errorf("cannot use a watch event: %.80q", line)
	}
	kind := text(line, "/type")
	switch kind {
	case "ERROR":
		status, _ := strconv.Atoi(text(object, "/code"))
		return statusError(status, object)
	case "BOOKMARK":
	case "ADDED", "MODIFIED":
		if err := w.store.keep(object); err != nil {
			return err
		}
	case "DELETED":
		k, err := identify(object)
		if err != nil {
			return err
		}
		w.store.remove(k)
	default:
		return fmt.Errorf("cannot use a watch event of type %q", kind)
	}
	if v := text(object, "/metadata/resourceVersion"); v != "" {
		w.store.setVersion(v)
	}
	return w.fits(&w.store)
}
