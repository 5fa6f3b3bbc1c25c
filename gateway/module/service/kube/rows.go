package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/gateway/module/service/query"
	"github.com/posternhq/postern/hostabi"
)

var _ query.Lister = (*Service)(nil)

// Rows implements query.Lister: the objects of a list call, out of the cache if it asks for that and they are there, where
// they stay; else as kube-apiserver gives them. The cache's are in no order.
func (s *Service) Rows(ctx context.Context, call *service.Call) (query.List, service.Result) {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	req, header, failed := s.check(call)
	if failed != nil {
		return query.List{}, *failed
	}
	if req.cached {
		list, ok, err := s.cache.rows(ctx, req)
		switch {
		case err != nil:
			return list, service.Failf(hostabi.BadArgument, "%v", err)
		case ok:
			return list, service.Result{}
		}
	}
	result := s.live(ctx, call, req, header)
	if result.Code != hostabi.OK {
		return query.List{}, result
	}
	rows, err := query.RowsOf(result.Body)
	if err != nil {
		return query.List{}, service.Failf(hostabi.Upstream, "%s: %v", backend, err)
	}
	return query.List{Rows: rows}, service.Result{}
}

// rows are the selected objects; false: they have to be asked for live.
func (c *cache) rows(ctx context.Context, req *request) (list query.List, ok bool, err error) {
	w, sel, err := c.reader(ctx, req)
	if w == nil {
		return list, false, err
	}
	if list, ok = w.store.selected(req.namespace, sel); !ok {
		c.unready.Add(1)
		return list, false, nil
	}
	c.hits.Add(1)
	return list, true, nil
}

// selected are the selected objects; false if there is nothing to read.
func (s *store) selected(namespace string, sel *selector) (list query.List, ok bool) {
	all, head, ok := s.all()
	list = query.List{Rows: all, Head: head}
	if namespace == "" && sel.labels.Empty() && sel.fields.Empty() {
		return list, ok
	}
	list.Rows = nil
	for _, r := range all {
		if (namespace == "" || r.Namespace == namespace) && sel.selects(r.Namespace, r.Name, r.Labels) {
			list.Rows = append(list.Rows, r)
		}
	}
	return list, ok
}

// all are all objects, and what stands before their members in a list.
func (s *store) all() (rows []*query.Row, head string, ok bool) {
	s.mu.RLock()
	rows, head, ok = s.rows, s.head(), s.objects != nil
	s.mu.RUnlock()
	if !ok || rows != nil {
		return rows, head, ok
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rows == nil && s.objects != nil {
		s.read()
	}
	return s.rows, s.head(), s.objects != nil
}

// read makes the rows. Objects are read when the first question comes, and from then on as they change. s.mu is held.
func (s *store) read() {
	if s.known == nil {
		s.known = make(map[string]*query.Row, len(s.objects))
		for k, raw := range s.objects {
			s.known[k] = query.NewRow(raw)
		}
	}
	s.rows = slices.AppendSeq(make([]*query.Row, 0, len(s.known)), maps.Values(s.known))
}

// head is what stands before an object's members in a list; empty if lists of this kind do not have it. s.mu is held.
func (s *store) head() string {
	if !s.inItems {
		return ""
	}
	return fmt.Sprintf(`"kind":%s,"apiVersion":%s,`, quote(s.kind), quote(s.apiVersion))
}
