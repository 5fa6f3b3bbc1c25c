package main

import "github.com/posternhq/postern/hostabi/guest"

// level is one of the four in which roles are given.
type level struct {
	scope string // of the gateway's decisions
	// members is the resource of those who have a role here, and member their name in paths.
	members, member string
	roles, bindings *kind
	// role is the path's name of a role, and the key of lists of users that asks for those who have it. Its annotation on
	// users says which one they have.
	role string
}

// The levels. DevOps projects have their roles in a namespace.
var (
	global    = &level{"Global", "users", "user", globalRoles, globalRoleBindings, "globalrole"}
	cluster   = &level{"Cluster", "clustermembers", "clustermember", clusterRoles, clusterRoleBindings, "clusterrole"}
	workspace = &level{"Workspace", "workspacemembers", "workspacemember", workspaceRoles, workspaceRoleBindings, "workspacerole"}
	namespace = &level{"Namespace", "members", "member", roles, roleBindings, "role"}
)

// levels in the order in which the gateway asks them.
var levels = []*level{global, workspace, namespace, cluster}

// note is the annotation on a user that names the role.
func (l *level) note() string { return "iam.kubesphere.io/" + l.role }

// place is a level, and which workspace or namespace of it.
type place struct {
	*level
	name string
}

// platform is the place of GlobalRoles.
var platform = place{level: global}

// place is the one that the path names.
func (c *call) place(l *level) (place, error) {
	switch l {
	case workspace:
		name := c.r.PathValue("workspace")
		if !plain(name) {
			return place{}, notFound(workspaces, name)
		}
		return place{l, name}, nil
	case namespace:
		project := c.r.PathValue("devops")
		if project == "" {
			return place{l, c.r.PathValue("namespace")}, nil
		}
		name, err := c.projectNamespace(project)
		return place{l, name}, err
	}
	return place{level: l}, nil
}

// projectNamespace is the namespace of a DevOps project, in which its roles are. A cluster without DevOps has no projects.
func (c *call) projectNamespace(project string) (string, error) {
	o, err := c.get(devopsProjects, "", project)
	if err != nil {
		return "", err
	}
	if name := o.text("status", "adminNamespace"); name != "" {
		return name, nil
	}
	return "", guest.Fail(404, "DevOps project "+guest.Quote(project)+" has no namespace yet")
}

// exists is an error unless the place is there. A workspace of other clusters is a template only.
func (c *call) exists(p place) error {
	switch p.level {
	case namespace:
		_, err := c.get(namespaces, "", p.name)
		return err
	case workspace:
		_, err := c.get(workspaces, "", p.name)
		if isNotFound(err) {
			if _, other := c.get(workspaceTemplates, "", p.name); !isNotFound(other) {
				return other
			}
		}
		return err
	}
	return nil
}

// where is the place as the gateway's decisions have it.
func (p place) where() guest.Place {
	w := guest.Place{Scope: p.scope}
	switch p.level {
	case workspace:
		w.Workspace = p.name
	case namespace:
		w.Namespace = p.name
	}
	return w
}

// list is the kind's list at the place.
func (p place) list(k *kind) guest.Object {
	o := k.named("", "")
	switch p.level {
	case workspace:
		o.LabelSelector = workspaceLabel + "=" + p.name
	case namespace:
		o.Namespace = p.name
	}
	return o
}

// namespace is that of objects at the place; empty for those that have none.
func (p place) namespace() string {
	if p.level == namespace {
		return p.name
	}
	return ""
}

// has says whether o, which was got by name, is at the place.
func (p place) has(o object) bool { return p.level != workspace || o.label(workspaceLabel) == p.name }

// at reads an object of the place; one of another workspace is not found.
func (c *call) at(p place, k *kind, name string) (object, error) {
	o, err := c.get(k, p.namespace(), name)
	if err == nil && !p.has(o) {
		return nil, notFound(k, name)
	}
	return o, err
}

// claim puts o at the place. An object that says to be of another one is refused: nobody moves things in or out.
func (p place) claim(o object) error {
	if ns := o.namespace(); ns != "" && ns != p.namespace() {
		return guest.Fail(400, "metadata.namespace is "+guest.Quote(ns)+", the path says "+guest.Quote(p.namespace()))
	}
	switch p.level {
	case namespace:
		o.set(p.name, "metadata", "namespace")
	case workspace:
		if ws := o.label(workspaceLabel); ws != "" && ws != p.name {
			return guest.Fail(400, "label "+workspaceLabel+" is "+guest.Quote(ws)+", the path says "+guest.Quote(p.name))
		}
		o.set(p.name, "metadata", "labels", workspaceLabel)
	}
	return nil
}

// named is an error unless the object's name is the one in the path.
func (o object) named(path string) error {
	if name := o.name(); name != path {
		return guest.Fail(400, "the name in the body is "+guest.Quote(name)+", the one in the path "+guest.Quote(path))
	}
	return nil
}
