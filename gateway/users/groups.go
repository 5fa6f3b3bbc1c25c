package users

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/kube"
)

// regroupTries bounds how often groups are written that somebody else changes at the same time.
const regroupTries = 5

// regrouping changes groups alone. Its list is never nil: an empty one takes all away, which no list would not.
type regrouping struct {
	Metadata meta `json:"metadata"`
	Spec     struct {
		Groups []string `json:"groups"`
	} `json:"spec"`
}

// Regroup changes the groups of a user as change says of those that are stored, and returns when the store knows the account so.
func (w *Writer) Regroup(ctx context.Context, name string, change func(has []string) []string) (*account.Account, error) {
	for try := 1; ; try++ {
		groups, err := w.regroup(ctx, name, change)
		if err == nil {
			return w.hear(ctx, name, func(a *account.Account) bool { return slices.Equal(a.Groups, groups) })
		}
		if try == regroupTries || !kube.Conflict(err) {
			return nil, fmt.Errorf("cannot change the groups of user %q: %w", name, err)
		}
	}
}

func (w *Writer) regroup(ctx context.Context, name string, change func([]string) []string) ([]string, error) {
	var is user
	if err := w.kube.Get(ctx, userPath+"/"+name, nil, &is); err != nil {
		return nil, err
	}
	groups := append([]string{}, change(slices.Clone(is.Spec.Groups))...)
	if slices.Equal(groups, is.Spec.Groups) {
		return groups, nil
	}
	patch := regrouping{Metadata: meta{ResourceVersion: is.Metadata.ResourceVersion}}
	patch.Spec.Groups = groups
	return groups, w.kube.Patch(ctx, userPath+"/"+name, kube.MergePatch, nil, patch, nil)
}

// hear waits until the store has the account as it should be.
func (w *Writer) hear(ctx context.Context, name string, as func(*account.Account) bool) (*account.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, known)
	defer cancel()
	for {
		if a := w.o.Store.Account(name); a != nil && as(a) {
			return a, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("user %q was written, but is not known yet: %w", name, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}
