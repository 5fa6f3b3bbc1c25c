package idp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/posternhq/postern/gateway/account"
)

// mapTimeout bounds the making of an account, which goes on for others when the one who began it leaves.
const mapTimeout = 15 * time.Second

// Bounds of what a provider may say, in bytes. A longer text is left out; a longer UID is refused.
const (
	maxUID   = 1024
	maxEmail = 254 // RFC 5321, as corrected
	maxText  = 256
)

// account finds or makes the account of id.
func (s *Set) account(ctx context.Context, e *entry, id Identity) (*account.Account, error) {
	if id.UID == "" || len(id.UID) > maxUID {
		return nil, fmt.Errorf("cannot map an identity of %q: a UID of %d bytes: %w", e.Name, len(id.UID), ErrRefused)
	}
	if err := s.known(ctx); err != nil {
		return nil, err
	}
	uid := label(id.UID)
	if a := s.o.Users.ByProvider(e.Name, uid); a != nil && !e.regroups(a, id) {
		return a, nil
	}
	made := s.flight.DoChan(e.Name+"/"+uid, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mapTimeout)
		defer cancel()
		return s.link(ctx, e, id, uid)
	})
	select {
	case r := <-made:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*account.Account), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("cannot wait for the account of an identity of %q: %w", e.Name, ctx.Err())
	}
}

// known waits a while for users to be read.
func (s *Set) known(ctx context.Context) error {
	if s.o.Known == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, createWait)
	defer cancel()
	if err := s.o.Known(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// link makes the account of id, or brings the groups of the one there is up to date.
func (s *Set) link(ctx context.Context, e *entry, id Identity, uid string) (*account.Account, error) {
	if a := s.o.Users.ByProvider(e.Name, uid); a != nil {
		return s.regroup(ctx, e, a, id)
	}
	if e.Mapping == Lookup {
		return nil, fmt.Errorf("%w: identity provider %q has mappingMethod lookup; an administrator links a user by the labels %s=%s and %s=%s",
			ErrNoAccount, e.Name, LabelProvider, e.Name, LabelUID, uid)
	}
	u := NewUser{
		Name: accountName(id.Name, e.Name, id.UID), Email: email(id.Email), DisplayName: text(id.DisplayName),
		Groups: e.wanted(nil, id), Provider: e.Name, UID: uid,
	}
	if err := s.free(u); err != nil {
		return nil, err
	}
	a, err := s.o.Accounts.Create(ctx, u)
	if err != nil {
		return s.lost(ctx, u, err)
	}
	s.o.Log.Info().Str("user", a.Name).Str("provider", e.Name).Strs("groups", u.Groups).Msg("made an account for an identity")
	return a, nil
}

// free says why the account cannot be made: nobody takes over what is somebody else's, however equal the name.
func (s *Set) free(u NewUser) error {
	const remedy = "an administrator links that user by the labels %s=%s and %s=%s, or renames one of the two"
	if reserved(u.Name) {
		return fmt.Errorf("%w: the name %q is the platform's own", ErrTaken, u.Name)
	}
	if s.o.Users.Account(u.Name) != nil {
		return fmt.Errorf("%w: there is a user %q; "+remedy, ErrTaken, u.Name, LabelProvider, u.Provider, LabelUID, u.UID)
	}
	if u.Email != "" {
		if a := s.o.Users.ByEmail(u.Email); a != nil {
			return fmt.Errorf("%w: user %q has the e-mail %q; "+remedy, ErrTaken, a.Name, u.Email, LabelProvider, u.Provider, LabelUID, u.UID)
		}
	}
	return nil
}

// lost says why an account could not be made. Another replica may have made it for the same login: then it is that one.
func (s *Set) lost(ctx context.Context, u NewUser, err error) (*account.Account, error) {
	if !errors.Is(err, ErrTaken) {
		return nil, fmt.Errorf("cannot make an account for an identity of %q: %w: %w", u.Provider, ErrUnavailable, err)
	}
	poll := time.NewTicker(createPoll)
	defer poll.Stop()
	ctx, cancel := context.WithTimeout(ctx, createWait)
	defer cancel()
	for {
		if a := s.o.Users.ByProvider(u.Provider, u.UID); a != nil {
			return a, nil
		}
		if s.o.Users.Account(u.Name) != nil {
			return nil, s.free(u)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("cannot make an account for an identity of %q: %w", u.Provider, err)
		case <-poll.C:
		}
	}
}

// A name that is in use, and nobody here knows by whom, becomes known with the watch of users: after a second, usually.
const (
	createWait = 5 * time.Second
	createPoll = 50 * time.Millisecond
)
