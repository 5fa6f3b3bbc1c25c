package idp

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/posternhq/postern/gateway/account"
)

// groupMapping is the option of all types that gives groups of the provider a meaning here.
const groupMapping = "groupMapping"

// mapGroups takes the mapping of groups out of the options and gives the rest, for the type.
func (e *entry) mapGroups(t *Type) ([]byte, error) {
	e.groups = map[string]string{}
	for key, value := range e.Options {
		if !strings.EqualFold(key, groupMapping) {
			continue
		}
		mapping, ok := value.(map[string]any)
		if !ok && value != nil {
			return nil, Wrong(key, "want a map from groups of the provider to groups of users here")
		}
		for theirs, value := range mapping {
			ours, _ := value.(string)
			if ours == "" || len(ours) > maxText || strings.HasPrefix(ours, "system:") {
				return nil, Wrong(key+"."+strings.ReplaceAll(theirs, ".", `\.`), "want the name of a group, not one of system:, have %q", fmt.Sprint(value))
			}
			if t.Group != nil {
				theirs = t.Group(theirs)
			}
			e.groups[theirs] = ours
		}
	}
	e.managed = slices.Compact(slices.Sorted(maps.Values(e.groups)))
	return marshal(e.Options)
}

// wanted are the groups of an account: those that the provider gives it, and those it has from elsewhere.
func (e *entry) wanted(has []string, id Identity) (groups []string) {
	for _, group := range has {
		if _, ours := slices.BinarySearch(e.managed, group); !ours {
			groups = append(groups, group)
		}
	}
	for _, theirs := range id.Groups {
		if ours := e.groups[theirs]; ours != "" && !slices.Contains(groups, ours) {
			groups = append(groups, ours)
		}
	}
	return groups
}

// regroups says whether the provider gives other groups than the account has.
func (e *entry) regroups(a *account.Account, id Identity) bool {
	return len(e.managed) > 0 && !equal(a.Groups, e.wanted(a.Groups, id))
}

// regroup brings the groups of a up to date. Somebody whose groups cannot be taken away does not get in.
func (s *Set) regroup(ctx context.Context, e *entry, a *account.Account, id Identity) (*account.Account, error) {
	if !e.regroups(a, id) {
		return a, nil
	}
	b, err := s.o.Accounts.Regroup(ctx, a.Name, func(has []string) []string { return e.wanted(has, id) })
	if err != nil {
		return nil, fmt.Errorf("cannot set the groups of user %q: %w: %w", a.Name, ErrUnavailable, err)
	}
	s.o.Log.Info().Str("user", a.Name).Str("provider", e.Name).Strs("groups", b.Groups).Msg("set the groups of a user as the identity provider has them")
	return b, nil
}

// equal compares groups as sets.
func equal(a, b []string) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b))))
}
