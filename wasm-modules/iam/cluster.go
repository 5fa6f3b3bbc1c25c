package main

import (
	"errors"

	"github.com/posternhq/postern/hostabi"
	"github.com/posternhq/postern/hostabi/guest"
)

// What marks and ties objects of the platform.
const (
	workspaceLabel = "kubesphere.io/workspace"
	userLabel      = "iam.kubesphere.io/user-ref"
	groupLabel     = "iam.kubesphere.io/group-ref"
	templateLabel  = "iam.kubesphere.io/role-template"

	globalRoleNote   = "iam.kubesphere.io/globalrole"
	aggregationNote  = "iam.kubesphere.io/aggregation-roles"
	regoNote         = "iam.kubesphere.io/rego-override"
	passwordTimeNote = "iam.kubesphere.io/last-password-change-time"
)

// kind is a kind of objects in Kubernetes.
type kind struct{ group, version, resource, name string }

const (
	iamGroup  = "iam.kubesphere.io"
	rbacGroup = "rbac.authorization.k8s.io"
)

// The kinds that this group is about.
var (
	users                 = &kind{iamGroup, "v1alpha2", "users", "User"}
	loginRecords          = &kind{iamGroup, "v1alpha2", "loginrecords", "LoginRecord"}
	globalRoles           = &kind{iamGroup, "v1alpha2", "globalroles", "GlobalRole"}
	globalRoleBindings    = &kind{iamGroup, "v1alpha2", "globalrolebindings", "GlobalRoleBinding"}
	workspaceRoles        = &kind{iamGroup, "v1alpha2", "workspaceroles", "WorkspaceRole"}
	workspaceRoleBindings = &kind{iamGroup, "v1alpha2", "workspacerolebindings", "WorkspaceRoleBinding"}
	groups                = &kind{iamGroup, "v1alpha2", "groups", "Group"}
	groupBindings         = &kind{iamGroup, "v1alpha2", "groupbindings", "GroupBinding"}
	clusterRoles          = &kind{rbacGroup, "v1", "clusterroles", "ClusterRole"}
	clusterRoleBindings   = &kind{rbacGroup, "v1", "clusterrolebindings", "ClusterRoleBinding"}
	roles                 = &kind{rbacGroup, "v1", "roles", "Role"}
	roleBindings          = &kind{rbacGroup, "v1", "rolebindings", "RoleBinding"}
	namespaces            = &kind{"", "v1", "namespaces", "Namespace"}
	workspaces            = &kind{"tenant.kubesphere.io", "v1alpha1", "workspaces", "Workspace"}
	workspaceTemplates    = &kind{"tenant.kubesphere.io", "v1alpha2", "workspacetemplates", "WorkspaceTemplate"}
	devopsProjects        = &kind{"devops.kubesphere.io", "v1alpha3", "devopsprojects", "DevOpsProject"}
)

// apiVersion is what objects of the kind say.
func (k *kind) apiVersion() string {
	if k.group == "" {
		return k.version
	}
	return k.group + "/" + k.version
}

// named names an object, asked for in the module's own name: the caller has rights on this group's paths, seldom on the
// objects beneath. Without a name it is their list.
func (k *kind) named(namespace, name string) guest.Object {
	return guest.Object{Group: k.group, Version: k.version, Resource: k.resource, Namespace: namespace, Name: name, AsModule: true}
}

// get reads an object as it is now, not as a cache knew it: what was written a moment ago is there.
func (c *call) get(k *kind, namespace, name string) (object, error) {
	d, err := c.r.Get(k.named(namespace, name))
	if missing(err) {
		return nil, notFound(k, name)
	}
	return read(d, err)
}

// missing says whether an object, or its whole kind, is not there.
func missing(err error) bool { return errors.Is(err, hostabi.NotFound) }

func notFound(k *kind, name string) error {
	what := k.resource
	if k.group != "" {
		what += "." + k.group
	}
	return guest.Fail(404, what+" "+guest.Quote(name)+" not found")
}

// isNotFound says whether err is a 404 of ours.
func isNotFound(err error) bool {
	var e *guest.Error
	return errors.As(err, &e) && e.Status == 404
}

func isConflict(err error) bool {
	var e *guest.Error
	return errors.As(err, &e) && e.Status == 409 || errors.Is(err, hostabi.Conflict)
}

// read takes an object into the module.
func read(d guest.Data, err error) (object, error) {
	if err != nil {
		return nil, err
	}
	defer d.Drop()
	b, err := d.Bytes()
	if err != nil {
		return nil, err
	}
	var o object
	return o, decode(b, &o)
}

// find reads the objects that a listing finds, oldest first.
func (c *call) find(l guest.Listing) ([]object, error) {
	if l.Query == "" {
		l.Query = "ascending=true"
	}
	page, err := c.r.Page(l)
	if err != nil {
		return nil, err
	}
	list, err := read(page.Data, nil)
	return list.objects("items"), err
}

// create makes an object, and unmakes it if the request fails later.
func (c *call) create(k *kind, o object) (object, error) {
	made, err := c.post(k, o)
	if err != nil {
		return nil, err
	}
	c.undo = append(c.undo, func() error { return c.remove(k, made) })
	return made, nil
}

func (c *call) post(k *kind, o object) (object, error) {
	return c.written(c.r.Kube("create", k.named(o.namespace(), ""), k.fresh(o).encode()))
}

// written reads an object as it has been stored, and remembers its version.
func (c *call) written(d guest.Data, err error) (object, error) {
	o, err := read(d, err)
	if err == nil {
		c.versions[o.text("metadata", "uid")] = o.text("metadata", "resourceVersion")
	}
	return o, err
}

// fresh is o as it is created: what Kubernetes sets itself is left out.
func (k *kind) fresh(o object) object {
	o = o.clone()
	o["apiVersion"], o["kind"] = k.apiVersion(), k.name
	for _, name := range []string{"resourceVersion", "uid", "creationTimestamp", "deletionTimestamp", "generation", "managedFields", "selfLink"} {
		o.set(nil, "metadata", name)
	}
	return o
}

// update replaces an object, and puts the old one back if the request fails later. Without a resourceVersion in o it takes
// that of old.
func (c *call) update(k *kind, old, o object) (object, error) {
	if o.text("metadata", "resourceVersion") == "" {
		o = o.clone()
		o.set(old.text("metadata", "resourceVersion"), "metadata", "resourceVersion")
	}
	done, err := c.put(k, o)
	stale := !same(o.at("metadata", "resourceVersion"), old.at("metadata", "resourceVersion")) // the client's own
	for again := 3; k == users && !stale && isConflict(err) && again > 0; again-- {
		// The gateway notes a user's logins beside what people change: that is no change of theirs.
		present, failed := c.get(k, old.namespace(), old.name())
		if failed != nil || !same(withoutLogin(old), withoutLogin(present)) {
			break
		}
		o = o.clone()
		o.set(present.text("metadata", "resourceVersion"), "metadata", "resourceVersion")
		if at := present.at("status", lastLogin); at != nil {
			o.set(at, "status", lastLogin)
		}
		done, err = c.put(k, o)
	}
	if err != nil {
		return nil, err
	}
	c.undo = append(c.undo, func() error { return c.putBack(k, old) })
	return done, nil
}

// lastLogin is the field of a user's status that the gateway writes.
const lastLogin = "lastLoginTime"

// withoutLogin is o without what a login changes.
func withoutLogin(o object) object {
	o = o.clone()
	o.set(nil, "status", lastLogin)
	o.set(nil, "metadata", "resourceVersion")
	o.set(nil, "metadata", "generation")
	return o
}

func (c *call) put(k *kind, o object) (object, error) {
	o = o.clone()
	o["apiVersion"], o["kind"] = k.apiVersion(), k.name
	return c.written(c.r.Kube("update", k.named(o.namespace(), o.name()), o.encode()))
}

// putBack makes an object what it was, unless somebody else has changed it since this request did.
func (c *call) putBack(k *kind, old object) error {
	present, err := c.get(k, old.namespace(), old.name())
	if err != nil {
		return err
	}
	uid, version := present.text("metadata", "uid"), present.text("metadata", "resourceVersion")
	if c.versions[uid] != version {
		return guest.Fail(409, k.resource+" "+guest.Quote(old.name())+" has been changed meanwhile")
	}
	back := old.clone()
	back.set(uid, "metadata", "uid")
	back.set(version, "metadata", "resourceVersion")
	_, err = c.put(k, back)
	return err
}

// delete removes an object, and makes it anew if the request fails later.
func (c *call) delete(k *kind, o object) error {
	if err := c.remove(k, o); err != nil {
		return err
	}
	c.undo = append(c.undo, func() error {
		_, err := c.post(k, o)
		return err
	})
	return nil
}

// remove deletes an object that may be gone already.
func (c *call) remove(k *kind, o object) error {
	d, err := c.r.Kube("delete", k.named(o.namespace(), o.name()), nil)
	if missing(err) {
		return nil
	}
	d.Drop()
	return err
}
