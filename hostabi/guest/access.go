package guest

import (
	"strconv"
	"strings"

	"github.com/posternhq/postern/hostabi"
)

// Access is something that a user would do. The gateway decides as it does for requests.
type Access struct {
	Verb                         string // get, list, watch, create, update, patch, delete, …
	Group, Resource, Subresource string // resource is the plural
	Name                         string
	Place                        Place
	// Path is that of something that is no resource, instead of all above but Verb.
	Path string
	// User is who would; default the caller. Groups are that user's, instead of those of the account.
	User   string
	Groups []string
}

// Place is where. The scope is Global, Cluster, Workspace, Namespace or DevOps; default is the narrowest of the places
// that are named, or Cluster.
type Place struct {
	Scope                        string
	Workspace, Namespace, DevOps string
}

func (p *Place) record(r hostabi.Record) hostabi.Record {
	return fields(r, []field{
		{hostabi.TagScope, p.Scope},
		{hostabi.TagWorkspace, p.Workspace},
		{hostabi.TagNamespace, p.Namespace},
		{hostabi.TagDevOps, p.DevOps},
	})
}

func (a *Access) record(operation string) hostabi.Record {
	r := fields(hostabi.Record{}.Append(hostabi.TagOperation, operation), []field{
		{hostabi.TagVerb, a.Verb},
		{hostabi.TagGroup, a.Group},
		{hostabi.TagResource, a.Resource},
		{hostabi.TagSubresource, a.Subresource},
		{hostabi.TagName, a.Name},
		{hostabi.TagPath, a.Path},
		{hostabi.TagUser, a.User},
	})
	for _, group := range a.Groups {
		r = r.Append(hostabi.TagUserGroup, group)
	}
	return a.Place.record(r)
}

// Decision is the gateway's word on an Access.
type Decision struct {
	Allowed bool
	// Reason names what allowed it, or says that nothing did.
	Reason string
}

// May asks whether a user may do something. A user that does not exist is NotFound, unless Groups says what to go by.
func (r *Request) May(a Access) (Decision, error) {
	d, err := r.access(a.record("may"))
	if err != nil {
		return Decision{}, err
	}
	defer d.Drop()
	allowed, _ := d.Get("/allowed")
	reason, _ := d.Get("/reason")
	return Decision{allowed == "true", reason}, nil
}

// Demand is May of the caller, with 403 as Kubernetes words it for what is not allowed.
func (r *Request) Demand(a Access) error {
	d, err := r.access(a.record("may"))
	if err != nil {
		return err
	}
	defer d.Drop()
	if allowed, _ := d.Get("/allowed"); allowed == "true" {
		return nil
	}
	message, _ := d.Get("/message")
	return Fail(403, message)
}

// Namespaces asks in which namespaces a user may do something; all says in every one. The place's namespace is left out.
func (r *Request) Namespaces(a Access) (names Data, all bool, err error) {
	d, err := r.access(a.record("namespaces"))
	if err != nil {
		return Data{}, false, err
	}
	text, _ := d.Get("/all")
	names, err = d.Transform(`[{"get":"/names"}]`)
	return names, text == "true", err
}

// Missing asks which of rules the caller does not hold at a place, so that nobody grants what they do not have. rules is a
// JSON array of RBAC policy rules; so is the answer. count is their number: 0 is that the caller holds them all.
func (r *Request) Missing(p Place, rules Data) (missing Data, count int, err error) {
	record := handle(hostabi.Record{}.Append(hostabi.TagOperation, "missing"), hostabi.TagBodyHandle, rules)
	return r.missing(p.record(record))
}

// Role is a role as the gateway decides by it: with those it aggregates.
type Role struct {
	Kind      string // GlobalRole, WorkspaceRole, ClusterRole, Role
	Name      string
	Namespace string // of a Role
}

// MissingOfRole is Missing of the rules that a role has now, those it aggregates included. A role that does not exist is
// NotFound. The place is where it would be granted.
func (r *Request) MissingOfRole(p Place, role Role) (missing Data, count int, err error) {
	if p.Namespace == "" {
		p.Namespace = role.Namespace
	}
	return r.missing(p.record(fields(hostabi.Record{}.Append(hostabi.TagOperation, "missing"), []field{
		{hostabi.TagKind, role.Kind},
		{hostabi.TagName, role.Name},
	})))
}

func (r *Request) missing(record hostabi.Record) (Data, int, error) {
	d, err := r.access(record)
	if err != nil {
		return Data{}, 0, err
	}
	count, _ := d.Int("/count")
	missing, err := d.Transform(`[{"get":"/missing"}]`)
	return missing, int(count), err
}

func (r *Request) access(record hostabi.Record) (Data, error) {
	c, err := r.await(accessCall(r.ex, record))
	return Data{r.ex, c.Handle}, err
}

// Hash is password as it is stored (bcrypt). BadArgument if it cannot be hashed whole: bcrypt takes 72 bytes.
func (r *Request) Hash(password string) (string, error) {
	d, err := r.accounts("hash", "", field{hostabi.TagPassword, password})
	if err != nil {
		return "", err
	}
	defer d.Drop()
	b, err := d.Bytes()
	return string(b), err
}

// CheckPassword is nil if user has this password: as a login is, it is throttled. A wrong one is Denied with status 401; too
// many are Unavailable with status 429, and RetryAfter of the error says when to come again.
func (r *Request) CheckPassword(user, password string) error {
	_, err := r.accounts("check", user, field{hostabi.TagPassword, password})
	return err
}

// EndSessions ends what user is logged in with: every session, or all but the one that asks now.
func (r *Request) EndSessions(user string, keepCaller bool) error {
	keep := field{hostabi.TagKeep, ""}
	if keepCaller {
		keep.value = "caller"
	}
	_, err := r.accounts("end_sessions", user, keep)
	return err
}

func (r *Request) accounts(operation, user string, more field) (Data, error) {
	record := fields(hostabi.Record{}.Append(hostabi.TagOperation, operation), []field{{hostabi.TagUser, user}, more})
	c, err := r.await(accountsCall(r.ex, record))
	return Data{r.ex, c.Handle}, err
}

// RetryAfter is how many seconds to wait after a call that was refused for having come too often; 0: it was not.
func (e *CallError) RetryAfter() int {
	text, ok := strings.CutPrefix(e.Reason, "retry after ")
	if !ok || e.Status != 429 {
		return 0
	}
	text, _, _ = strings.Cut(text, " ")
	n, _ := strconv.Atoi(text)
	return n
}

// field is one field of a record.
type field struct {
	tag   hostabi.Tag
	value string
}

// fields appends those that have a value.
func fields(r hostabi.Record, all []field) hostabi.Record {
	for _, f := range all {
		if f.value != "" {
			r = r.Append(f.tag, f.value)
		}
	}
	return r
}

// handle appends a document's number, if it has one.
func handle(r hostabi.Record, tag hostabi.Tag, d Data) hostabi.Record {
	if d.handle == 0 {
		return r
	}
	return r.Append(tag, strconv.Itoa(int(d.handle)))
}
