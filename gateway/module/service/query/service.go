package query

import (
	"context"

	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// List are the objects of a list.
type List struct {
	Rows []*Row // read-only
	// Head is put before the members of each object: `"kind":"User","apiVersion":"v1",`, when they are kept without. It may be
	// empty.
	Head string
	// Keep says which rows are on the list; nil: all.
	Keep func(r *Row) bool
	// Find are the rows that have one of texts at a path; false: look for yourself. It may be nil.
	Find func(pointer string, texts []string) ([]*Row, bool)
}

// Lister gives the objects of a list call of Kubernetes, which is granted and allowed; or says why not.
type Lister interface {
	Rows(ctx context.Context, call *service.Call) (List, service.Result)
}

// Service implements service.Service.
type Service struct{ kube Lister }

var _ service.Service = (*Service)(nil)

// New makes a Service; with a nil Lister it answers for lists that modules hold.
func New(kube Lister) *Service { return &Service{kube} }

// The tags of what is Kubernetes' and what is this service's.
var (
	kubeTags = []hostabi.Tag{
		hostabi.TagGroup, hostabi.TagVersion, hostabi.TagResource, hostabi.TagNamespace, hostabi.TagLabelSelector,
		hostabi.TagFieldSelector, hostabi.TagAs, hostabi.TagSource,
	}
	tags = append([]hostabi.Tag{hostabi.TagOperation, hostabi.TagQuery, hostabi.TagOnly, hostabi.TagExcept, hostabi.TagBy}, kubeTags...)
	many = []hostabi.Tag{hostabi.TagFilter, hostabi.TagKnown, hostabi.TagDrop}
)

// Do implements service.Service.
func (s *Service) Do(ctx context.Context, call *service.Call) service.Result {
	args, err := service.ParseArgs(call, tags, many)
	if err != nil {
		return service.Failf(hostabi.BadArgument, "%v", err)
	}
	q, err := read(call, args)
	if err != nil {
		return service.Failf(hostabi.BadArgument, "%v", err)
	}
	drop, err := dropper(args[hostabi.TagDrop])
	if err != nil {
		return service.Failf(hostabi.BadArgument, "%v", err)
	}
	list, failed := s.rows(ctx, call, args)
	if failed.Code != hostabi.OK {
		return failed
	}
	page, total, err := q.pick(ctx, q.candidates(&list))
	if err != nil {
		return service.Broken(ctx, "the list", err)
	}
	body, err := render(page, list.Head, total, drop, call.MaxBytes)
	if err != nil {
		return service.Failf(hostabi.TooLarge, "%v: ask for a page", err)
	}
	return service.Result{Body: body, Err: q.warning()}
}

// rows are the objects of the call's list.
func (s *Service) rows(ctx context.Context, call *service.Call, args service.Args) (List, service.Result) {
	if args.Get(hostabi.TagResource) != "" {
		if call.Body != nil {
			return List{}, service.Failf(hostabi.BadArgument, "there is a resource and a list: which is asked?")
		}
		if s.kube == nil {
			return List{}, service.Failf(hostabi.NotFound, "the gateway has no Kubernetes configured")
		}
		sub := *call
		sub.Record = hostabi.Record{}.Append(hostabi.TagOperation, "list")
		for _, tag := range kubeTags {
			if v := args.Get(tag); v != "" {
				sub.Record = sub.Record.Append(tag, v)
			}
		}
		return s.kube.Rows(ctx, &sub)
	}
	rows, err := RowsOf(call.Body)
	if err != nil {
		return List{}, service.Failf(hostabi.BadArgument, "%v", err)
	}
	return List{Rows: rows}, service.Result{}
}
