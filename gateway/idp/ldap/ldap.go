// Package ldap is the identity provider LDAPIdentityProvider: a directory that knows passwords.
//
// A login takes one connection and asks four things over it: bind as the manager, search the name, bind as what was found, and,
// where groups are searched for, bind as the manager once more and search them. Connections are kept between logins.
package ldap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/posternhq/postern/gateway/idp"
)

// Type is LDAPIdentityProvider.
var Type = idp.Type{Name: "LDAPIdentityProvider", New: newProvider, Group: group}

// Bounds of what is asked, in bytes.
const (
	maxName     = 256
	maxPassword = 1024
)

type provider struct {
	o    *options
	pool *pool
}

var _ idp.PasswordProvider = (*provider)(nil)

func newProvider(raw json.RawMessage) (idp.Provider, error) {
	o, err := decode(raw)
	if err != nil {
		return nil, err
	}
	s, err := o.server()
	if err != nil {
		return nil, err
	}
	return &provider{o: o, pool: newPool(s, o.MaxConnections)}, nil
}

// Close implements idp.Provider.
func (p *provider) Close() { p.pool.close() }

// Login implements idp.PasswordProvider.
func (p *provider) Login(ctx context.Context, name, password string) (idp.Identity, error) {
	if name == "" || len(name) > maxName || len(password) > maxPassword {
		return idp.Identity{}, fmt.Errorf("name or password of a wrong length: %w", idp.ErrRefused)
	}
	if password == "" { // a bind without a password says nothing of who it is (RFC 4513, section 5.1.2)
		return idp.Identity{}, fmt.Errorf("empty password: %w", idp.ErrRefused)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.o.ReadTimeout))
	defer cancel()
	c, err := p.manager(ctx)
	if err != nil {
		return idp.Identity{}, unavailable(ctx, p.pool.server.address, err)
	}
	stop := c.until(ctx)
	id, err := p.login(ctx, c, name, password)
	p.pool.put(c, stop() && (err == nil || errors.Is(err, idp.ErrRefused)))
	if err != nil && !errors.Is(err, idp.ErrRefused) {
		err = unavailable(ctx, p.pool.server.address, err)
	}
	return id, err
}

// unavailable is err for the log, with the reason that the context gives.
func unavailable(ctx context.Context, address string, err error) error {
	if ctx.Err() != nil {
		err = fmt.Errorf("%w (%w)", err, ctx.Err())
	}
	return fmt.Errorf("%w: directory %s: %w", idp.ErrUnavailable, address, err)
}

// manager is a connection that is bound as the manager. One that was kept and is dead is replaced: the directory may have been
// started anew.
func (p *provider) manager(ctx context.Context) (*conn, error) {
	for {
		c, err := p.pool.get(ctx)
		if err != nil {
			return nil, err
		}
		stop := c.until(ctx)
		err = p.bindManager(c)
		if stop() && err == nil {
			return c, nil
		}
		retry := c.reused && ctx.Err() == nil && (c.IsClosing() || ldap.IsErrorWithCode(err, ldap.ErrorNetwork))
		p.pool.put(c, false)
		if !retry {
			return nil, errors.Join(err, ctx.Err())
		}
	}
}

func (p *provider) bindManager(c *conn) error {
	if p.o.ManagerDN == "" {
		if err := c.UnauthenticatedBind(""); err != nil {
			return fmt.Errorf("cannot bind as nobody: %w", err)
		}
		return nil
	}
	if err := c.Bind(p.o.ManagerDN, p.o.ManagerPassword); err != nil {
		return fmt.Errorf("cannot bind as the manager %q: %w", p.o.ManagerDN, err)
	}
	return nil
}

// login finds the entry, proves the password, and reads what the entry says.
func (p *provider) login(ctx context.Context, c *conn, name, password string) (idp.Identity, error) {
	entry, err := p.user(ctx, c, name)
	if err != nil {
		return idp.Identity{}, err
	}
	if err := c.Bind(entry.DN, password); err != nil {
		if ldap.IsErrorAnyOf(err, refusals...) {
			return idp.Identity{}, fmt.Errorf("entry %q: %w: %.200v", entry.DN, idp.ErrRefused, err)
		}
		return idp.Identity{}, fmt.Errorf("cannot bind as %q: %w", entry.DN, err)
	}
	id := p.identity(entry)
	if p.o.GroupSearchBase != "" {
		if err := p.bindManager(c); err != nil {
			return idp.Identity{}, err
		}
		groups, err := p.groups(ctx, c, entry.DN)
		if err != nil {
			return idp.Identity{}, err
		}
		id.Groups = append(id.Groups, groups...)
	}
	return id, nil
}

// refusals are what directories answer to a bind of somebody who may not: wrong, locked, expired, without a password.
var refusals = []uint16{
	ldap.LDAPResultInvalidCredentials, ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultNoSuchObject, ldap.LDAPResultConstraintViolation,
	ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultInsufficientAccessRights,
}

// group is the DN of a group as it is compared: spaces around commas and capitals do not matter.
func group(name string) string {
	dn, err := ldap.ParseDN(name)
	if err != nil {
		return strings.ToLower(name)
	}
	return strings.ToLower(dn.String())
}
