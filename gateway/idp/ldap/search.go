package ldap

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"github.com/posternhq/postern/gateway/idp"
)

// maxGroups is how many groups of one user are looked at.
const maxGroups = 1000

// user is the one entry that name belongs to.
func (p *provider) user(ctx context.Context, c *conn, name string) (*ldap.Entry, error) {
	filter := and(fmt.Sprintf("(%s=%s)", p.o.LoginAttribute, ldap.EscapeFilter(name)), p.o.UserSearchFilter)
	attributes := []string{p.o.LoginAttribute}
	for _, a := range []string{p.o.MailAttribute, p.o.UIDAttribute, p.o.DisplayNameAttribute, p.o.UserMemberAttribute} {
		if a != "" {
			attributes = append(attributes, a)
		}
	}
	entries, err := search(ctx, c, p.o.UserSearchBase, filter, 2, attributes)
	switch {
	case err != nil:
		return nil, err
	case len(entries) == 0:
		return nil, fmt.Errorf("nobody matches %s: %w", filter, idp.ErrRefused)
	case len(entries) > 1:
		return nil, fmt.Errorf("several entries match %s: %w", filter, idp.ErrRefused)
	case entries[0].DN == "": // the DN of nobody: a bind as it proves nothing
		return nil, fmt.Errorf("an entry without a DN matches %s: %w", filter, idp.ErrRefused)
	case !p.called(entries[0], name):
		return nil, fmt.Errorf("entry %q is not called %q: %w", entries[0].DN, name, idp.ErrRefused)
	}
	return entries[0], nil
}

// called says whether the entry has that name, capitals or not. Directories find it by others as well, with more spaces or in
// other forms of Unicode: each would be a name of its own to who counts failed logins.
func (p *provider) called(e *ldap.Entry, name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(e.GetEqualFoldAttributeValues(p.o.LoginAttribute), func(v string) bool { return strings.ToLower(v) == name })
}

// identity is what an entry says.
func (p *provider) identity(e *ldap.Entry) idp.Identity {
	value := func(attribute string) string {
		if attribute == "" {
			return ""
		}
		return readable(e.GetEqualFoldRawAttributeValue(attribute))
	}
	id := idp.Identity{Name: value(p.o.LoginAttribute), Email: value(p.o.MailAttribute), DisplayName: value(p.o.DisplayNameAttribute)}
	id.UID = id.Name
	if p.o.UIDAttribute != "" {
		id.UID = value(p.o.UIDAttribute)
	}
	if p.o.UserMemberAttribute != "" {
		all := e.GetEqualFoldAttributeValues(p.o.UserMemberAttribute)
		for _, dn := range all[:min(len(all), maxGroups)] {
			id.Groups = append(id.Groups, group(dn))
		}
	}
	return id
}

// readable is a value as text; one that is none, as Active Directory's objectGUID, in hex.
func readable(value []byte) string {
	if !utf8.Valid(value) {
		return hex.EncodeToString(value)
	}
	return string(value)
}

// groups are the DNs of the groups that have the user as a member.
func (p *provider) groups(ctx context.Context, c *conn, user string) ([]string, error) {
	filter := and(fmt.Sprintf("(%s=%s)", p.o.GroupMemberAttribute, ldap.EscapeFilter(user)), p.o.GroupSearchFilter)
	entries, err := search(ctx, c, p.o.GroupSearchBase, filter, maxGroups, []string{"1.1"}) // no attributes (RFC 4511)
	if err != nil {
		return nil, err
	}
	all := make([]string, len(entries))
	for i, e := range entries {
		all[i] = group(e.DN)
	}
	return all, nil
}

var errClosed = errors.New("the connection was closed")

func and(first, second string) string {
	if second == "" {
		return first
	}
	return "(&" + first + second + ")"
}

// search gives at most limit entries below base. Referrals to other directories are not followed.
func search(ctx context.Context, c *conn, base, filter string, limit int, attributes []string) ([]*ldap.Entry, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request := ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, limit, 0, false, filter, attributes, nil)
	response := c.SearchAsync(ctx, request, 0)
	var entries []*ldap.Entry
	for response.Next() {
		if e := response.Entry(); e != nil && len(entries) < limit {
			entries = append(entries, e)
		}
	}
	err := errors.Join(response.Err(), ctx.Err())
	if err == nil && (c.IsClosing() || c.GetLastError() != nil) { // the library ends the stream then as if that were all
		err = errors.Join(ldap.NewError(ldap.ErrorNetwork, errClosed), c.GetLastError())
	}
	if err != nil && !(len(entries) == limit && ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded)) {
		return nil, fmt.Errorf("cannot search %q for %s: %w", base, filter, err)
	}
	return entries, nil
}
