package main

import (
	"errors"

	"github.com/posternhq/postern/hostabi"
	"github.com/posternhq/postern/hostabi/guest"
)

// mostPassword is how many bytes bcrypt takes; more would count for nothing.
const mostPassword = 72

// hash is a password as it is stored.
func (c *call) hash(password string) (string, error) {
	switch {
	case password == "":
		return "", guest.Fail(400, "the password is empty")
	case len(password) > mostPassword:
		return "", guest.Fail(400, "the password has more than 72 bytes")
	}
	return c.r.Hash(password)
}

// passwordOf is the right to change a user's password; without a name everybody's.
func passwordOf(name string) guest.Access {
	return guest.Access{
		Verb: "update", Group: iamGroup, Resource: "users", Subresource: "password", Name: name, Place: guest.Place{Scope: "Global"},
	}
}

// putPassword changes a password. Who may change everybody's needs no old one, unless it is given; others change their own,
// and have to know it. All the user's sessions end.
func putPassword(c *call) error {
	var change struct {
		CurrentPassword string `json:"currentPassword"`
		Password        string `json:"password"`
	}
	if err := c.body(&change); err != nil {
		return err
	}
	user, err := c.get(users, "", c.r.PathValue("user"))
	if err != nil {
		return err
	}
	if err := c.mayChange(user.name(), change.CurrentPassword); err != nil {
		return err
	}
	hash, err := c.hash(change.Password)
	if err != nil {
		return err
	}
	changed := user.clone()
	changed.set(hash, "spec", "password")
	changed.set(now(), "metadata", "annotations", passwordTimeNote)
	if user.text("status", "state") == "" {
		setState(changed, active)
	}
	if _, err := c.update(users, user, changed); err != nil {
		return err
	}
	if err := c.r.EndSessions(user.name(), false); err != nil {
		return err
	}
	return c.success()
}

// mayChange is an error unless the caller may change the user's password, knowing the current one or not.
func (c *call) mayChange(user, current string) error {
	if current != "" {
		return wrong(c.r.CheckPassword(user, current))
	}
	if c.r.User() != user {
		return c.r.Demand(passwordOf(user)) // as the gateway has for the path
	}
	everybodys, err := c.allowed(passwordOf(""))
	if err == nil && !everybodys {
		return guest.Fail(400, "currentPassword is missing")
	}
	return err
}

// wrong says that the current password is not the right one. That is no 401, which would end a browser's login.
func wrong(err error) error {
	if errors.Is(err, hostabi.Denied) {
		return guest.Fail(400, "currentPassword is wrong")
	}
	return err
}
