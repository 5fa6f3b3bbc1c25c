package kube

import (
	"context"
	"fmt"

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
	t, head, ok := s.asked()
	if !ok {
		return list, false
	}
	list = query.List{Rows: t.All(), Head: head, Find: t.Find}
	if namespace != "" || !sel.labels.Empty() || !sel.fields.Empty() {
		list.Keep = func(r *query.Row) bool {
			return (namespace == "" || r.Namespace == namespace) && sel.selects(r.Namespace, r.Name, r.Labels)
		}
	}
	return list, true
}

// asked is the objects' table, made when the first question comes, and what stands before their members in a list.
func (s *store) asked() (t *query.Table, head string, ok bool) {
	s.mu.RLock()
	t, head, ok = s.table, s.head(), s.objects != nil
	s.mu.RUnlock()
	if !ok || t != nil {
		return t, head, ok
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.table == nil && s.objects != nil {
		s.table = query.NewTable(s.objects)
	}
	return s.table, s.head(), s.objects != nil
}

// head is what stands before an object's members in a list; empty if lists of this kind do not have it. s.mu is held.
func (s *store) head() string {
	if !s.inItems {
		return ""
	}
	return fmt.Sprintf(`"kind":%s,"apiVersion":%s,`, quote(s.kind), quote(s.apiVersion))
}
