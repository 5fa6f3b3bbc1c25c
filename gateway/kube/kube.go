// Package kube keeps what decisions need from Kubernetes in memory: users, roles, bindings, and which workspace a
// namespace is in. It lists and watches with client-go's connection settings and nothing else of it: objects are decoded
// into the few fields that are used, so that no whole object is ever held.
//
// Its memory is bounded by the cluster: some 500 bytes for a user, 150 for a namespace, 300 for a binding, 100 for a role
// (equal rules are stored once), plus the index, see authz.Index. While reading, one object of up to 8 MiB is in memory
// for each kind.
package kube

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"k8s.io/client-go/rest"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/authz"
)

// Options of Stores.
type Options struct {
	Config *rest.Config // how to reach the cluster
	Log    zerolog.Logger
	// Plain is told of users whose stored password is no hash, and of the version they have it in. It must not block. Such a
	// password is kept nowhere here. May be nil.
	Plain func(name, version, password string)
}

// Stores hold the platform's state as the cluster last told it. They are safe for concurrent use. What has not been read yet
// is missing, which allows nobody anything; what cannot be read any more stays as it was.
type Stores struct {
	log      zerolog.Logger
	plain    func(name, version, password string)
	client   *client
	users    *store[account.Account]
	bindings [4]*store[authz.Binding] // global, workspace, cluster, namespace
	roles    [4]*store[authz.Role]    // the same
	spaces   *store[space]
	feeds    []feed

	accounts atomic.Pointer[account.Directory]
	index    atomic.Pointer[snapshot]

	dirty      chan struct{}
	usersDirty atomic.Bool
	rulesDirty atomic.Bool
	building   sync.Mutex
	builds     atomic.Int64
	buildTime  atomic.Int64 // nanoseconds of the last one
}

// space is a namespace and the workspace it is in.
type space struct{ name, workspace string }

// feed keeps one store up to date.
type feed interface {
	name() string
	run(ctx context.Context)
	state() (synced bool, objects int, restarts int64, err error)
	first() <-chan struct{} // closed once the store has been read
}

// New makes stores that are empty and connect to nothing before Run.
func New(o Options) (*Stores, error) {
	c, err := newClient(o.Config)
	if err != nil {
		return nil, err
	}
	p := &Stores{log: o.Log, plain: o.Plain, client: c, dirty: make(chan struct{}, 1)}
	p.index.Store(&snapshot{changed: make(chan struct{})})
	p.addFeeds()
	return p, nil
}

const (
	iam  = "/apis/iam.kubesphere.io/v1alpha2/"
	rbac = "/apis/rbac.authorization.k8s.io/v1/"
)

// addFeeds makes a store and a feed for each kind.
func (p *Stores) addFeeds() {
	rules := func() { p.changed(&p.rulesDirty) }
	p.users = addFeed(p, iam, "users", p.user, func() { p.changed(&p.usersDirty) })
	p.roles[0] = addFeed(p, iam, "globalroles", p.role, rules)
	p.roles[1] = addFeed(p, iam, "workspaceroles", p.role, rules)
	p.roles[2] = addFeed(p, rbac, "clusterroles", p.role, rules)
	p.roles[3] = addFeed(p, rbac, "roles", p.role, rules)
	p.bindings[0] = addFeed(p, iam, "globalrolebindings", binding, rules)
	p.bindings[1] = addFeed(p, iam, "workspacerolebindings", binding, rules)
	p.bindings[2] = addFeed(p, rbac, "clusterrolebindings", binding, rules)
	p.bindings[3] = addFeed(p, rbac, "rolebindings", binding, rules)
	p.spaces = addFeed(p, "/api/v1/", "namespaces", namespace, rules)
}

// Run reads and follows everything until ctx ends; it returns nil. What cannot be read is tried again, for ever.
func (p *Stores) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, f := range p.feeds {
		all.Go(func() { f.run(ctx) })
	}
	all.Go(func() { p.build(ctx) })
	all.Wait()
	p.client.http.CloseIdleConnections()
	return nil
}

var _ account.Users = (*Stores)(nil)

// Account implements account.Users.
func (p *Stores) Account(name string) *account.Account { return p.accounts.Load().Account(name) }

// ByEmail implements account.Users.
func (p *Stores) ByEmail(email string) *account.Account { return p.accounts.Load().ByEmail(email) }

// ByProvider implements account.Users.
func (p *Stores) ByProvider(provider, uid string) *account.Account {
	return p.accounts.Load().ByProvider(provider, uid)
}

// UsersRead is closed once users have been read.
func (p *Stores) UsersRead() <-chan struct{} { return p.feeds[0].first() }

// Users is how many there are, as far as is known.
func (p *Stores) Users() int { return p.users.len() }

// snapshot is an index, and a channel that is closed when there is a newer one.
type snapshot struct {
	index   *authz.Index
	changed chan struct{}
}

// Index implements authz.Source.
func (p *Stores) Index() *authz.Index { return p.index.Load().index }

// Changed implements authz.Source.
func (p *Stores) Changed() <-chan struct{} { return p.index.Load().changed }

// Synced implements authz.Source: nil once everything has been read, else an error that says what has not, and why.
func (p *Stores) Synced() error {
	var all []error
	for _, f := range p.feeds {
		if synced, _, _, err := f.state(); !synced {
			all = append(all, notRead(f.name(), err))
		}
	}
	return errors.Join(all...)
}

var errNotYet = errors.New("not answered yet")

func notRead(name string, err error) error {
	if err == nil {
		err = errNotYet
	}
	return fmt.Errorf("%s have not been read: %w", name, err)
}

// WaitSynced returns when everything has been read and is in Index and Account, or with an error when ctx ends.
func (p *Stores) WaitSynced(ctx context.Context) error {
	for _, f := range p.feeds {
		select {
		case <-f.first():
		case <-ctx.Done():
			return errors.Join(ctx.Err(), p.Synced())
		}
	}
	p.rebuild()
	return nil
}

// changed has a change taken over soon.
func (p *Stores) changed(what *atomic.Bool) {
	what.Store(true)
	select {
	case p.dirty <- struct{}{}:
	default: // somebody has said so already
	}
}

// A change waits for others that come with it, and for longer when building is slow: no more than a tenth of one CPU goes
// into it. It is visible after a second at the latest, plus the time of building.
const (
	minWait = 50 * time.Millisecond
	maxWait = 800 * time.Millisecond
)

// build takes changes over until ctx ends.
func (p *Stores) build(ctx context.Context) {
	var ended time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.dirty:
		}
		rest := min(10*time.Duration(p.buildTime.Load()), maxWait) - time.Since(ended)
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(minWait, rest)):
		}
		p.rebuild()
		ended = time.Now()
	}
}

// rebuild makes new snapshots of what has changed.
func (p *Stores) rebuild() {
	p.building.Lock()
	defer p.building.Unlock()
	start := time.Now()
	users, rules := p.usersDirty.Swap(false), p.rulesDirty.Swap(false)
	if !users && !rules {
		return
	}
	if users {
		p.accounts.Store(account.NewDirectory(p.users.all()))
	}
	if rules {
		next := &snapshot{authz.Build(p.Index(), p.objects()), make(chan struct{})}
		close(p.index.Swap(next).changed)
	}
	p.builds.Add(1)
	p.buildTime.Store(int64(time.Since(start)))
}

func (p *Stores) objects() authz.Objects {
	workspaces := make(map[string]string)
	for _, s := range p.spaces.all() {
		if s.workspace != "" {
			workspaces[s.name] = s.workspace
		}
	}
	return authz.Objects{
		GlobalRoles: p.roles[0].all(), WorkspaceRoles: p.roles[1].all(), ClusterRoles: p.roles[2].all(), Roles: p.roles[3].all(),
		GlobalRoleBindings: p.bindings[0].all(), WorkspaceRoleBindings: p.bindings[1].all(),
		ClusterRoleBindings: p.bindings[2].all(), RoleBindings: p.bindings[3].all(),
		Workspaces: workspaces,
	}
}
