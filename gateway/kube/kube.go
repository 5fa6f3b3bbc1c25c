// Package kube keeps what decisions need from Kubernetes in memory: users, roles, bindings, and which workspace a
// namespace is in. It lists and watches with client-go's connection settings and nothing else of it: objects are decoded
// into the few fields that are used, so that no whole object is ever held.
//
// Its memory is bounded by the cluster: some 500 bytes for a user, 150 for a namespace, 400 for a binding and 100 for a role
// with the index, see authz.Index (equal rules are stored once). While reading, one object of up to 8 MiB is in memory
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
	"github.com/posternhq/postern/gateway/pmap"
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
	log    zerolog.Logger
	plain  func(name, version, password string)
	client *client
	users  *people
	rules  *authz.Draft
	feeds  []feed

	accounts   atomic.Pointer[account.Directory]
	usersShown atomic.Bool // accounts has had everybody
	index      atomic.Pointer[snapshot]

	dirty     chan struct{}
	since     atomic.Int64 // of the oldest change that no snapshot has yet: nanoseconds since 1970; 0: there is none
	swapping  sync.Mutex
	snapshots atomic.Int64
	delay     atomic.Int64 // nanoseconds from the oldest change in the last snapshot to that
}

// feed keeps one store up to date.
type feed interface {
	name() string
	run(ctx context.Context)
	state() (synced bool, objects int, restarts int64, err error)
	first() <-chan struct{} // closed once the store has been read
	serves() (group, resource string)
	reached() *progress
}

// New makes stores that are empty and connect to nothing before Run.
func New(o Options) (*Stores, error) {
	c, err := newClient(o.Config)
	if err != nil {
		return nil, err
	}
	p := &Stores{log: o.Log, plain: o.Plain, client: c, rules: authz.NewDraft(), dirty: make(chan struct{}, 1)}
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
	p.users = &people{changed: p.changed, draft: new(account.Directory), edit: new(pmap.Edit)}
	addFeed(p, iam, "users", p.user, p.users)
	addFeed(p, iam, "globalroles", p.role, roles{p.rules.GlobalRoles(), p.changed})
	addFeed(p, iam, "workspaceroles", p.role, roles{p.rules.WorkspaceRoles(), p.changed})
	addFeed(p, rbac, "clusterroles", p.role, roles{p.rules.ClusterRoles(), p.changed})
	addFeed(p, rbac, "roles", p.role, roles{p.rules.Roles(), p.changed})
	addFeed(p, iam, "globalrolebindings", binding, bindings{p.rules.GlobalRoleBindings(), p.changed})
	addFeed(p, iam, "workspacerolebindings", binding, bindings{p.rules.WorkspaceRoleBindings(), p.changed})
	addFeed(p, rbac, "clusterrolebindings", binding, bindings{p.rules.ClusterRoleBindings(), p.changed})
	addFeed(p, rbac, "rolebindings", binding, bindings{p.rules.RoleBindings(), p.changed})
	addFeed(p, "/api/v1/", "namespaces", namespace, spaces{keep[space](p.changed), p.rules})
}

// Run reads and follows everything until ctx ends; it returns nil. What cannot be read is tried again, for ever.
func (p *Stores) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, f := range p.feeds {
		all.Go(func() { f.run(ctx) })
	}
	all.Go(func() { p.publish(ctx) })
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

// UsersSynced is nil once users have been read and Account finds them; else an error that says why nobody can tell yet who
// there is.
func (p *Stores) UsersSynced() error {
	if p.usersShown.Load() {
		return nil
	}
	select {
	case <-p.UsersRead():
		p.swap()
		p.usersShown.Store(true)
		return nil
	default:
	}
	_, _, _, err := p.feeds[0].state()
	return notRead("users", err)
}

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
	p.swap()
	return nil
}

// changed has a change become visible soon.
func (p *Stores) changed() {
	p.since.CompareAndSwap(0, time.Now().UnixNano())
	select {
	case p.dirty <- struct{}{}:
	default: // somebody has said so already
	}
}

// gather is how long a change waits for others that come with it: each snapshot wakes whoever follows the rights of users,
// and has the next changes copy what it shares.
const gather = 50 * time.Millisecond

// publish makes changes visible until ctx ends.
func (p *Stores) publish(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.dirty:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(gather):
		}
		p.swap()
	}
}

// swap shows readers what has changed.
func (p *Stores) swap() {
	p.swapping.Lock()
	defer p.swapping.Unlock()
	since := p.since.Swap(0)
	users, index := p.users.commit(), p.rules.Commit()
	if users != nil {
		p.accounts.Store(users)
	}
	if index != nil {
		close(p.index.Swap(&snapshot{index, make(chan struct{})}).changed)
	}
	if (users != nil || index != nil) && since > 0 {
		p.snapshots.Add(1)
		p.delay.Store(time.Now().UnixNano() - since)
	}
}
