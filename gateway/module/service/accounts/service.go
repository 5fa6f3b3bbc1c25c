// Package accounts lets modules work with passwords and sessions without touching how: hashing is the gateway's, checking is
// a login, throttled and recorded, and sessions end for all who accept tokens.
package accounts

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/login"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// Checker checks passwords; *login.Checker does.
type Checker interface {
	Password(ctx context.Context, a login.Attempt) (*account.Account, error)
}

// Sessions end; *session.Keeper has them.
type Sessions interface {
	EndUser(ctx context.Context, user, keep string, until time.Time) error
}

// Options of a Service; all are required.
type Options struct {
	Checker  Checker
	Sessions Sessions
	// Hash is the hash of a password that is good to be stored. It bounds how many are made at once. An error before ctx has
	// ended says what is wrong with the password.
	Hash func(ctx context.Context, password string) (string, error)
}

// Service implements service.Service. It keeps nothing.
type Service struct{ o Options }

var _ service.Service = (*Service)(nil)

// New makes a Service.
func New(o Options) *Service { return &Service{o} }

var tags = []hostabi.Tag{hostabi.TagOperation, hostabi.TagUser, hostabi.TagPassword, hostabi.TagKeep}

// limit bounds a call whose context has no deadline.
const limit = 30 * time.Second

// Do implements service.Service.
func (s *Service) Do(ctx context.Context, call *service.Call) service.Result {
	if call.Grants == nil || !call.Grants.Accounts {
		return service.Failf(hostabi.Denied, "module %q is not granted accounts", call.Module)
	}
	args, err := service.ParseArgs(call, tags, nil)
	if err != nil {
		return service.Failf(hostabi.BadArgument, "%v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	switch operation := args.Get(hostabi.TagOperation); operation {
	case "hash":
		return s.hash(ctx, args)
	case "check":
		return s.check(ctx, call, args)
	case "end_sessions":
		return s.end(ctx, call, args)
	default:
		return service.Failf(hostabi.BadArgument, "there is no operation %q", operation)
	}
}

func (s *Service) hash(ctx context.Context, args service.Args) service.Result {
	hash, err := s.o.Hash(ctx, args.Get(hostabi.TagPassword))
	switch {
	case err == nil:
		return service.Result{Body: []byte(hash)}
	case ctx.Err() != nil:
		return service.Broken(ctx, "the hashing of passwords", err)
	}
	return service.Failf(hostabi.BadArgument, "%v", err)
}

// check has a password checked as a login is. An account that is found by e-mail is another one than was asked about.
func (s *Service) check(ctx context.Context, call *service.Call, args service.Args) service.Result {
	user := args.Get(hostabi.TagUser)
	found, err := s.o.Checker.Password(ctx, login.Attempt{
		Name: user, Password: args.Get(hostabi.TagPassword), Address: call.Address, UserAgent: call.UserAgent,
	})
	if err == nil && found.Name != user {
		err = login.ErrWrong
	}
	var throttled *login.Throttled
	switch {
	case err == nil:
		return service.Result{}
	case errors.As(err, &throttled):
		seconds := int(math.Ceil(throttled.RetryAfter.Seconds()))
		return refused(hostabi.Unavailable, http.StatusTooManyRequests, fmt.Sprintf("retry after %d s: too many failed attempts", max(seconds, 1)))
	case errors.Is(err, login.ErrWrong):
		return refused(hostabi.Denied, http.StatusUnauthorized, err.Error())
	case errors.Is(err, login.ErrInactive):
		return refused(hostabi.Denied, http.StatusForbidden, err.Error())
	case errors.Is(err, login.ErrBusy), errors.Is(err, login.ErrUnavailable):
		return refused(hostabi.Unavailable, http.StatusServiceUnavailable, err.Error())
	}
	return service.Broken(ctx, "the check of passwords", err)
}

func refused(code hostabi.Code, status int, text string) service.Result {
	return service.Result{Code: code, Status: status, Err: text}
}

// end ends a user's sessions. The one that asks can be kept by its own user only. The mark lasts for ever: of the tokens that
// it ends some may have no end of their own.
func (s *Service) end(ctx context.Context, call *service.Call, args service.Args) service.Result {
	user, keep := args.Get(hostabi.TagUser), ""
	switch v := args.Get(hostabi.TagKeep); {
	case user == "":
		return service.Failf(hostabi.BadArgument, "the user is missing")
	case v != "" && v != "caller":
		return service.Failf(hostabi.BadArgument, "what is kept is nothing or %q, not %.80q", "caller", v)
	case v != "" && call.Caller != nil && call.Caller.Name == user:
		keep = call.Caller.Session
	}
	if err := s.o.Sessions.EndUser(ctx, user, keep, time.Time{}); err != nil {
		return service.Failf(hostabi.Unavailable, "%v", err)
	}
	return service.Result{}
}
