// Package access lets modules ask what users may do, by the authorizer that decides on requests, and hold what they are
// about to grant against what its giver has.
package access

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// Authorizer decides; *authz.Authorizer does.
type Authorizer interface {
	Authorize(user *exchange.User, info *exchange.RequestInfo) exchange.Decision
	Namespaces(user *exchange.User, info *exchange.RequestInfo) (names []string, all bool)
	Covers(user *exchange.User, at authz.Place, rules []authz.Rule) (missing []authz.Rule)
	Synced() error
}

// Options of a Service.
type Options struct {
	// Authorizer is the one of the configuration that serves; required.
	Authorizer func() Authorizer
	// User is an account as it would ask, nil if there is none of that name.
	User func(name string) *exchange.User
	// Role has the rules by which a role is decided now; false if there is none.
	Role func(kind, namespace, name string) ([]authz.Rule, bool)
}

// Service implements service.Service. It keeps nothing and calls nobody.
type Service struct{ o Options }

var _ service.Service = (*Service)(nil)

// New makes a Service.
func New(o Options) *Service { return &Service{o} }

// Do implements service.Service.
func (s *Service) Do(_ context.Context, call *service.Call) service.Result {
	if call.Grants == nil || !call.Grants.Access {
		return service.Failf(hostabi.Denied, "module %q is not granted access", call.Module)
	}
	args, err := service.ParseArgs(call, once, many)
	if err != nil {
		return service.Failf(hostabi.BadArgument, "%v", err)
	}
	var answer any
	switch operation := args.Get(hostabi.TagOperation); operation {
	case "may":
		answer, err = s.may(call, args)
	case "namespaces":
		answer, err = s.namespaces(call, args)
	case "missing":
		answer, err = s.missing(call, args)
	default:
		return service.Failf(hostabi.BadArgument, "there is no operation %q", operation)
	}
	if err != nil {
		code := hostabi.BadArgument
		_ = errors.As(err, &code)
		return service.Failf(code, "%v", err)
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return service.Failf(hostabi.Internal, "cannot encode the answer: %v", err)
	}
	if int64(len(body)) > call.MaxBytes {
		return service.Failf(hostabi.TooLarge, "the answer has more than %d bytes", call.MaxBytes)
	}
	return service.Result{Body: body}
}

// decision answers may.
type decision struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"` // what 403 would say
}

func (s *Service) may(call *service.Call, args service.Args) (any, error) {
	user, err := s.user(call, args)
	if err != nil {
		return nil, err
	}
	info, err := infoOf(args)
	if err != nil {
		return nil, err
	}
	d := s.o.Authorizer().Authorize(user, info)
	out := decision{Allowed: d.Allowed, Reason: d.Why(user)}
	if !d.Allowed {
		out.Message = authz.Forbidden(user, info)
	}
	return out, nil
}

// namespaces answers in which namespaces, sorted.
func (s *Service) namespaces(call *service.Call, args service.Args) (any, error) {
	user, err := s.user(call, args)
	if err != nil {
		return nil, err
	}
	info, err := infoOf(args)
	if err != nil {
		return nil, err
	}
	names, all := s.o.Authorizer().Namespaces(user, info)
	if names == nil {
		names = []string{}
	}
	return struct {
		All   bool     `json:"all"`
		Names []string `json:"names"`
	}{all, names}, nil
}

// missing answers what of a grant its giver, the caller, does not have. As long as not all roles have been read, much may
// seem to be missing; a role that is to be given may have more rules than are known, so then nothing is said of it.
func (s *Service) missing(call *service.Call, args service.Args) (any, error) {
	at, err := placeOf(args)
	if err != nil {
		return nil, err
	}
	rules, err := s.rules(call, args)
	if err != nil {
		return nil, err
	}
	missing := s.o.Authorizer().Covers(call.Caller, at, rules)
	if missing == nil {
		missing = []authz.Rule{}
	}
	return struct {
		Count   int          `json:"count"`
		Missing []authz.Rule `json:"missing"`
	}{len(missing), missing}, nil
}

// rules are those in question: of a role, or as given.
func (s *Service) rules(call *service.Call, args service.Args) ([]authz.Rule, error) {
	kind := args.Get(hostabi.TagKind)
	if kind == "" {
		return parseRules(call.Payload())
	}
	if err := s.o.Authorizer().Synced(); err != nil {
		return nil, failure(hostabi.Unavailable, "not all roles have been read yet")
	}
	name := args.Get(hostabi.TagName)
	rules, ok := s.o.Role(kind, args.Get(hostabi.TagNamespace), name)
	if !ok {
		return nil, failure(hostabi.NotFound, kind+" "+name+" does not exist")
	}
	return rules, nil
}

// user is who would: the caller, or somebody by name.
func (s *Service) user(call *service.Call, args service.Args) (*exchange.User, error) {
	name, groups := args.Get(hostabi.TagUser), args[hostabi.TagUserGroup]
	switch {
	case name == "" && groups != nil:
		return nil, errors.New("groups are of a user: the name is missing")
	case name == "":
		return call.Caller, nil
	case groups != nil:
		return &exchange.User{Name: name, Groups: groups}, nil
	}
	if user := s.o.User(name); user != nil {
		return user, nil
	}
	return nil, failure(hostabi.NotFound, "user "+name+" does not exist")
}

// coded is an error with a code of the ABI.
type coded struct {
	code hostabi.Code
	text string
}

func failure(code hostabi.Code, text string) error { return &coded{code, text} }

func (c *coded) Error() string { return c.text }
func (c *coded) Unwrap() error { return c.code }
