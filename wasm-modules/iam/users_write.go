package main

import (
	"time"

	"github.com/posternhq/postern/hostabi/guest"
)

// A user's states that a client may set.
const (
	active   = "Active"
	disabled = "Disabled"
)

// providerLabels tie a user to an account elsewhere: who sets them decides who may log in as the user.
var providerLabels = []string{"iam.kubesphere.io/identify-provider", "iam.kubesphere.io/origin-uid"}

// createUser makes a user and, if the annotation says so, gives it a role of the platform: both or none.
func createUser(c *call) error {
	user, err := c.bodyObject()
	if err != nil {
		return err
	}
	role := user.annotation(globalRoleNote)
	user.set(nil, "metadata", "annotations", globalRoleNote)
	if err := c.checkNew(user, role); err != nil {
		return err
	}
	if err := c.prepare(user); err != nil {
		return err
	}
	made, err := c.create(users, user)
	if err != nil {
		return err
	}
	if role != "" {
		if err := c.bind(platform, platform.bindingFor(globalRoles, role, "User", made.name())); err != nil {
			return c.failed(err)
		}
	}
	return c.answer(shownUser(made, global, role))
}

// checkNew is an error unless the caller may make the user and give it the role. Bindings that wait for somebody of this
// name count, too: who makes the user knows its password.
func (c *call) checkNew(user object, role string) error {
	switch name := user.name(); {
	case name == "":
		return guest.Fail(400, "metadata.name is missing")
	case !plain(name):
		return guest.Fail(400, "metadata.name may have 63 letters, digits, dots and dashes")
	case len(user.texts("spec", "groups")) > 0:
		return guest.Fail(400, "spec.groups cannot be set: use the groupbindings of a workspace")
	}
	if _, err := c.get(users, "", user.name()); !isNotFound(err) {
		if err == nil {
			err = guest.Fail(409, "user "+guest.Quote(user.name())+" already exists")
		}
		return err
	}
	if err := c.freeEmail(user); err != nil {
		return err
	}
	if role != "" {
		if err := c.mayGive(platform, role); err != nil {
			return err
		}
	}
	return c.actFor("User", user.name())
}

// prepare makes user as it is stored: the password hashed, and active unless the client says otherwise. Of a user without
// a password and without an identity provider, who cannot log in, the state stays empty.
func (c *call) prepare(user object) error {
	state, plain := user.text("status", "state"), user.text("spec", "password")
	if state != "" && state != active && state != disabled {
		return guest.Fail(400, "status.state may be Active or Disabled")
	}
	user.child("spec")
	user.set(nil, "status")
	if plain != "" {
		hash, err := c.hash(plain)
		if err != nil {
			return err
		}
		user.set(hash, "spec", "password")
		user.set(now(), "metadata", "annotations", passwordTimeNote)
	}
	if state == "" && (plain != "" || user.label(providerLabels[0]) != "") {
		state = active
	}
	if state != "" {
		setState(user, state)
	}
	return nil
}

func setState(user object, state string) {
	user.set(state, "status", "state")
	user.set(now(), "status", "lastTransitionTime")
}

// now is the time as Kubernetes writes it.
func now() string { return time.Now().UTC().Format(time.RFC3339) }

// freeEmail is an error when another user has the same e-mail address, by which people log in. It looks into the cache: of
// two requests at the same moment both may pass, and then nobody can log in by that address.
func (c *call) freeEmail(user object) error {
	email := user.text("spec", "email")
	if email == "" {
		return nil
	}
	same, err := c.find(guest.Listing{
		Object: users.named("", ""), Filters: []guest.Filter{{How: guest.Exact, Path: "/spec/email", Value: email}},
	})
	for _, other := range same {
		if other.name() != user.name() {
			return guest.Fail(409, "another user has the e-mail address "+guest.Quote(email))
		}
	}
	return err
}

// putUser changes a user. Password and groups stay what they are; there are other ways to change them.
func putUser(c *call) error {
	user, err := c.bodyObject()
	if err != nil {
		return err
	}
	if err := user.named(c.r.PathValue("user")); err != nil {
		return err
	}
	old, err := c.get(users, "", user.name())
	if err != nil {
		return err
	}
	role := user.annotation(globalRoleNote)
	user.set(nil, "metadata", "annotations", globalRoleNote)
	if err := c.checkChange(old, user, role); err != nil {
		return err
	}
	for _, name := range []string{"password", "groups"} {
		user.set(old.at("spec", name), "spec", name)
	}
	done, err := c.update(users, old, user)
	if err != nil {
		return err
	}
	if role != "" {
		if err := c.setRoles(platform, []member{{user.name(), role}}); err != nil {
			return err
		}
	}
	if done.text("status", "state") == disabled && old.text("status", "state") != disabled {
		if err := c.r.EndSessions(user.name(), false); err != nil {
			return err
		}
	}
	return c.answerUser(done)
}

// checkChange is an error unless the caller may make user of old. It sets the status: what a client says of it counts as
// far as it enables or disables.
func (c *call) checkChange(old, user object, role string) error {
	state := user.text("status", "state")
	user.set(old.at("status"), "status")
	switch {
	case state == "" || state == old.text("status", "state"):
	case state == active || state == disabled:
		status, _ := copied(user.at("status")).(map[string]any)
		user["status"] = status
		setState(user, state)
	default:
		return guest.Fail(400, "status.state may be Active or Disabled")
	}
	if user.text("spec", "email") != old.text("spec", "email") {
		if err := c.freeEmail(user); err != nil {
			return err
		}
	}
	for _, label := range providerLabels {
		if user.label(label) != old.label(label) {
			if err := c.r.Demand(passwordOf(user.name())); err != nil {
				return err
			}
		}
	}
	return c.checkRole(user.name(), role)
}

// checkRole is an error unless the caller may make role the user's on the platform, which it may be already.
func (c *call) checkRole(user, role string) error {
	if role == "" {
		return nil
	}
	if has, err := c.roleAt(platform, user); err != nil || has == role {
		return err
	}
	return c.mayGive(platform, role)
}

// deleteUser removes a user with all that names it. The user goes last: bindings that outlive it would be the next one's
// of the same name.
func deleteUser(c *call) error {
	name := c.r.PathValue("user")
	user, err := c.get(users, "", name)
	if err != nil {
		return err
	}
	for _, l := range levels {
		bindings, err := c.bindings(place{level: l}, "User", name)
		if err != nil {
			return c.failed(err)
		}
		for _, b := range bindings {
			if err := c.release(l.bindings, b, "User", name); err != nil {
				return c.failed(err)
			}
		}
	}
	if err := c.leaveGroups(name); err != nil {
		return c.failed(err)
	}
	if err := c.delete(users, user); err != nil {
		return c.failed(err)
	}
	if err := c.r.EndSessions(name, false); err != nil {
		return err
	}
	if err := c.forget(name); err != nil {
		guest.Warn("cannot delete the login records of a user that is gone: " + err.Error())
	}
	return c.success()
}

// leaveGroups takes a user that goes out of the group bindings.
func (c *call) leaveGroups(user string) error {
	found, err := c.find(guest.Listing{
		Object: groupBindings.named("", ""), Live: true, Filters: []guest.Filter{{How: guest.Exact, Path: "/users", Value: user}},
	})
	if err != nil {
		return err
	}
	for _, b := range found {
		if err := c.leave(b, user); err != nil {
			return err
		}
	}
	return nil
}

// leave takes a user out of a group binding, which goes when there is nobody else in it.
func (c *call) leave(b object, user string) error {
	rest := []any{}
	for _, name := range b.texts("users") {
		if name != user {
			rest = append(rest, name)
		}
	}
	if len(rest) == 0 {
		return c.delete(groupBindings, b)
	}
	changed := b.clone()
	changed["users"] = rest
	_, err := c.update(groupBindings, b, changed)
	return err
}

// forget deletes a user's login records.
func (c *call) forget(user string) error {
	if !plain(user) {
		return nil
	}
	o := loginRecords.named("", "")
	o.LabelSelector = userLabel + "=" + user
	records, err := c.find(guest.Listing{Object: o, Live: true})
	if err != nil {
		return err
	}
	for _, record := range records {
		if err := c.remove(loginRecords, record); err != nil {
			return err
		}
	}
	return nil
}
