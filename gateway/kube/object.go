package kube

import (
	"encoding/json"
	"time"
	"unique"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/authz"
)

// object is the fields that are read of any kind. Everything else is skipped while decoding.
type object struct {
	text     json.RawMessage // the whole object, where it is wanted
	Metadata struct {
		Name            string            `json:"name"`
		Namespace       string            `json:"namespace"`
		UID             string            `json:"uid"`
		ResourceVersion string            `json:"resourceVersion"`
		Created         string            `json:"creationTimestamp"` // RFC 3339
		Labels          map[string]string `json:"labels"`
		Annotations     map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		Email       string   `json:"email"`
		Lang        string   `json:"lang"`
		DisplayName string   `json:"displayName"`
		Groups      []string `json:"groups"`
		Password    string   `json:"password"`
	} `json:"spec"`
	Status struct {
		State string `json:"state"`
	} `json:"status"`
	Rules    []authz.Rule `json:"rules"`
	Subjects []struct {
		Kind      string `json:"kind"`
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"subjects"`
	RoleRef struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	} `json:"roleRef"`
}

// workspaceLabel says which workspace a namespace, role or binding belongs to.
const workspaceLabel = "kubesphere.io/workspace"

// regoAnnotation holds a policy that upstream asks before a role's rules, and that may only allow more than they do.
const regoAnnotation = "iam.kubesphere.io/rego-override"

// Labels of a user that an identity provider knows, and who that is there.
const (
	providerLabel    = "iam.kubesphere.io/identify-provider"
	providerUIDLabel = "iam.kubesphere.io/origin-uid"
)

// userAccount is a user. One without a state is Active once there is a way to log in: with a password that has been hashed, or
// by an identity provider. Nobody but the gateway looks after users, and it has nothing else to wait for.
func userAccount(o *object) *account.Account {
	a := &account.Account{
		Name: o.Metadata.Name, UID: o.Metadata.UID, Email: o.Spec.Email, Lang: o.Spec.Lang, DisplayName: o.Spec.DisplayName,
		PasswordHash: o.Spec.Password, Groups: o.Spec.Groups, State: o.Status.State,
		Provider: o.Metadata.Labels[providerLabel], ProviderUID: o.Metadata.Labels[providerUIDLabel],
	}
	a.Created, _ = time.Parse(time.RFC3339, o.Metadata.Created) // kube-apiserver writes no other
	if a.State == "" && (a.Hashed() || a.Provider != "") {
		a.State = account.Active
	}
	return a
}

// user is an account. A password that is stored as it was typed is for those who will hash it, and is not kept.
func (p *Stores) user(o *object) *account.Account {
	a := userAccount(o)
	if a.PasswordHash != "" && !a.Hashed() {
		if p.plain != nil {
			p.plain(a.Name, o.Metadata.ResourceVersion, a.PasswordHash)
		}
		a.PasswordHash = ""
	}
	return a
}

// partsAnnotation is a JSON list of roles of the same kind and namespace whose rules a role has besides its own.
const partsAnnotation = "iam.kubesphere.io/aggregation-roles"

// role takes the rules and leaves a Rego policy out: without it nobody may do more.
func (p *Stores) role(o *object) *authz.Role {
	r := &authz.Role{Namespace: intern(o.Metadata.Namespace), Name: intern(o.Metadata.Name), Rules: authz.NewRules(o.Rules)}
	if r.Policy = o.Metadata.Annotations[regoAnnotation] != ""; r.Policy {
		p.log.Warn().Str("role", o.name()).Msg("annotation " + regoAnnotation + " is not evaluated: the role allows what its rules say")
	}
	if parts := o.Metadata.Annotations[partsAnnotation]; parts != "" {
		if err := json.Unmarshal([]byte(parts), &r.Aggregates); err != nil {
			r.Aggregates = nil // half a list is no list
			p.log.Warn().Str("role", o.name()).Err(err).Msg("annotation " + partsAnnotation + " is no list of names: the role allows what its own rules say")
		}
	}
	return r
}

func binding(o *object) *authz.Binding {
	b := &authz.Binding{
		Namespace: intern(o.Metadata.Namespace), Name: o.Metadata.Name, Workspace: intern(o.Metadata.Labels[workspaceLabel]),
		RoleKind: kind(o.RoleRef.Kind), Role: intern(o.RoleRef.Name), Subjects: make([]authz.Subject, 0, len(o.Subjects)),
	}
	for _, s := range o.Subjects {
		b.Subjects = append(b.Subjects, authz.Subject{Kind: kind(s.Kind), Namespace: intern(s.Namespace), Name: intern(s.Name)})
	}
	return b
}

func namespace(o *object) *space {
	return &space{name: intern(o.Metadata.Name), workspace: intern(o.Metadata.Labels[workspaceLabel])}
}

// intern is s in memory that is shared with all that are the same: the names of users, roles and namespaces are in many objects.
func intern(s string) string {
	if s == "" {
		return ""
	}
	return unique.Make(s).Value()
}

// kind is k without memory of its own: the words are few, the objects many.
func kind(k string) string {
	for _, known := range [...]string{"User", "Group", "ServiceAccount", "Role", "ClusterRole", "WorkspaceRole", "GlobalRole"} {
		if k == known {
			return known
		}
	}
	return intern(k)
}

// key is an object's place in its store.
func (o *object) key() key {
	return key{Namespace: intern(o.Metadata.Namespace), Name: o.Metadata.Name}
}

// name is it in words.
func (o *object) name() string {
	if o.Metadata.Namespace == "" {
		return o.Metadata.Name
	}
	return o.Metadata.Namespace + "/" + o.Metadata.Name
}
