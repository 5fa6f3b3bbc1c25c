package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/login"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/gateway/session"
	"github.com/posternhq/postern/hostabi"
)

// platform is a service over the real checker and the real store of sessions, with one account, alice.
func platform(t *testing.T, tries int) (*Service, *session.Keeper) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	sessions := session.New(session.Options{})
	sessions.Configure(session.Settings{MaxTries: tries, Window: time.Hour})
	users := account.NewDirectory([]*account.Account{
		{Name: "alice", Email: "alice@example.com", PasswordHash: string(hash), State: account.Active},
		{Name: "dora", PasswordHash: string(hash), State: account.Disabled},
	})
	return New(Options{
		Checker: login.New(login.Options{Users: users, Throttle: sessions}), Sessions: sessions,
		Hash: func(ctx context.Context, password string) (string, error) {
			if password == "" {
				return "", errors.New("the password is empty")
			}
			return "hash of " + password, ctx.Err()
		},
	}), sessions
}

func ask(caller *exchange.User, tagsAndValues ...any) *service.Call {
	var r hostabi.Record
	for i := 0; i < len(tagsAndValues); i += 2 {
		r = r.Append(tagsAndValues[i].(hostabi.Tag), tagsAndValues[i+1].(string))
	}
	return &service.Call{
		Module: "test", Grants: &service.Grants{Accounts: true}, Caller: caller, Record: r, MaxBytes: 1 << 20, Address: "192.0.2.1", UserAgent: "test",
	}
}

func check(s *Service, user, password string) string {
	r := s.Do(context.Background(), ask(nil, hostabi.TagOperation, "check", hostabi.TagUser, user, hostabi.TagPassword, password))
	return fmt.Sprintf("%v %d", r.Code, r.Status)
}

func TestCheck(t *testing.T) {
	s, _ := platform(t, 0)
	for _, c := range []struct{ user, password, want string }{
		{"alice", "right", "ok 0"},
		{"alice", "wrong", "denied 401"},
		{"alice", "", "denied 401"},
		{"", "right", "denied 401"},
		{"bob", "right", "denied 401"},
		{"dora", "right", "denied 403"},
		{"alice@example.com", "right", "denied 401"},
	} {
		if got := check(s, c.user, c.password); got != c.want {
			t.Errorf("%q %q: %s, want %s", c.user, c.password, got, c.want)
		}
	}
}

// TestCheckIsThrottled: who may ask for a check may not guess. The answer says when to come again.
func TestCheckIsThrottled(t *testing.T) {
	s, _ := platform(t, 3)
	for range 3 {
		if got := check(s, "alice", "wrong"); got != "denied 401" {
			t.Fatal(got)
		}
	}
	r := s.Do(t.Context(), ask(nil, hostabi.TagOperation, "check", hostabi.TagUser, "alice", hostabi.TagPassword, "right"))
	var seconds int
	if _, err := fmt.Sscanf(r.Err, "retry after %d s", &seconds); r.Code != hostabi.Unavailable || r.Status != 429 || err != nil || seconds < 1 || seconds > 3600 {
		t.Errorf("%v %d %s", r.Code, r.Status, r.Err)
	}
}

func TestHash(t *testing.T) {
	s, _ := platform(t, 0)
	r := s.Do(t.Context(), ask(nil, hostabi.TagOperation, "hash", hostabi.TagPassword, "p"))
	if r.Code != hostabi.OK || string(r.Body) != "hash of p" {
		t.Errorf("%v %s", r.Code, r.Body)
	}
	if r := s.Do(t.Context(), ask(nil, hostabi.TagOperation, "hash")); r.Code != hostabi.BadArgument || r.Err != "the password is empty" {
		t.Errorf("%v %s", r.Code, r.Err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if r := s.Do(gone, ask(nil, hostabi.TagOperation, "hash", hostabi.TagPassword, "p")); r.Code != hostabi.Canceled {
		t.Errorf("%v %s", r.Code, r.Err)
	}
}

func TestSessionsEnd(t *testing.T) {
	for _, c := range []struct {
		name, caller, keep string
		mine, other        bool // ended
	}{
		{"all", "alice", "", true, true},
		{"all but the asker's", "alice", "caller", false, true},
		{"another user's session is kept for nobody", "bob", "caller", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, sessions := platform(t, 0)
			mine, other, before := session.NewID(), session.NewID(), time.Now()
			args := []any{hostabi.TagOperation, "end_sessions", hostabi.TagUser, "alice"}
			if c.keep != "" {
				args = append(args, hostabi.TagKeep, c.keep)
			}
			if r := s.Do(t.Context(), ask(&exchange.User{Name: c.caller, Session: mine}, args...)); r.Code != hostabi.OK {
				t.Fatal(r.Code, r.Err)
			}
			if got := sessions.Ended("alice", mine, before); got != c.mine {
				t.Errorf("the asker's: ended is %v", got)
			}
			if got := sessions.Ended("alice", other, before); got != c.other {
				t.Errorf("another: ended is %v", got)
			}
			if !sessions.Ended("alice", "", before) {
				t.Error("a token of no session goes on")
			}
			if sessions.Ended("carl", other, before) {
				t.Error("somebody else's has ended")
			}
		})
	}
}

type broken struct{}

func (broken) EndUser(context.Context, string, string, time.Time) error {
	return session.ErrUnavailable
}

func (broken) Password(context.Context, login.Attempt) (*account.Account, error) {
	return nil, login.ErrBusy
}

func TestWhatCannotBeDoneIsSaid(t *testing.T) {
	s := New(Options{Checker: broken{}, Sessions: broken{}})
	if r := s.Do(t.Context(), ask(nil, hostabi.TagOperation, "end_sessions", hostabi.TagUser, "alice")); r.Code != hostabi.Unavailable || !strings.Contains(r.Err, "reached") {
		t.Errorf("%v %s", r.Code, r.Err)
	}
	if got := check(s, "alice", "x"); got != "unavailable 503" {
		t.Error(got)
	}
	for _, args := range [][]any{
		{hostabi.TagOperation, "end_sessions"},
		{hostabi.TagOperation, "end_sessions", hostabi.TagUser, "a", hostabi.TagKeep, "all"},
		{hostabi.TagOperation, "lock"},
		{hostabi.TagOperation, "check", hostabi.TagName, "alice"},
	} {
		if r := s.Do(t.Context(), ask(nil, args...)); r.Code != hostabi.BadArgument {
			t.Errorf("%v: %v", args, r.Code)
		}
	}
	call := ask(nil, hostabi.TagOperation, "hash", hostabi.TagPassword, "p")
	for _, grants := range []*service.Grants{nil, {Access: true}} {
		if call.Grants = grants; s.Do(t.Context(), call).Code != hostabi.Denied {
			t.Error("a module that was not granted accounts has them")
		}
	}
}

// FuzzDo: no record breaks it, and none but the right password passes.
func FuzzDo(f *testing.F) {
	f.Add([]byte(hostabi.Record{}.Append(hostabi.TagOperation, "check").Append(hostabi.TagUser, "alice").Append(hostabi.TagPassword, "wrong")))
	f.Add([]byte(hostabi.Record{}.Append(hostabi.TagOperation, "end_sessions").Append(hostabi.TagUser, "alice").Append(hostabi.TagKeep, "caller")))
	s := New(Options{Checker: broken{}, Sessions: broken{}, Hash: func(context.Context, string) (string, error) { return "", errors.New("no") }})
	f.Fuzz(func(t *testing.T, record []byte) {
		if hostabi.Record(record).Validate() != nil {
			return
		}
		call := ask(nil)
		call.Record = record
		if r := s.Do(t.Context(), call); r.Code == hostabi.OK || r.Err == "" {
			t.Fatalf("%+v", r)
		}
	})
}
