// Package users writes what the gateway itself has to say of users: it makes the first administrator, hashes passwords
// that somebody stored as plain text, makes users who come from an identity provider, and keeps the history of logins.
package users

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"k8s.io/client-go/rest"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/kube"
)

const (
	group    = "/apis/iam.kubesphere.io/v1alpha2/"
	userPath = group + "users"
)

// Labels and annotations of users, login records and bindings that clients of KubeSphere know.
const (
	userLabel     = "iam.kubesphere.io/user-ref"
	providerLabel = "iam.kubesphere.io/identify-provider"
	uidLabel      = "iam.kubesphere.io/origin-uid"
	changedAt     = "iam.kubesphere.io/last-password-change-time"
)

// Store is what is known of users, kept up to date by somebody else.
type Store interface {
	Account(name string) *account.Account
	// UsersRead is closed once users have been read; Users is how many there are.
	UsersRead() <-chan struct{}
	Users() int
}

// Options of a Writer.
type Options struct {
	Config   *rest.Config
	Store    Store
	Admin    Admin
	History  History
	Log      zerolog.Logger
	Registry prometheus.Registerer // nil: not counted
}

// Writer does its work while Run runs. Several replicas may each have one: what they do twice has the same outcome.
type Writer struct {
	o       Options
	kube    *kube.Direct
	plain   plain
	history history
	metrics *metrics
}

// New makes a writer that asks nobody before Run.
func New(o Options) (*Writer, error) {
	direct, err := kube.NewDirect(o.Config)
	if err != nil {
		return nil, err
	}
	w := &Writer{o: o, kube: direct, metrics: newMetrics(o.Registry)}
	w.plain.init()
	w.history.init(o.History)
	return w, nil
}

// Follow has the writer go by another store than that of its options, before Run.
func (w *Writer) Follow(s Store) { w.o.Store = s }

// Run works until ctx ends; what has been recorded by then is still written. It returns nil.
func (w *Writer) Run(ctx context.Context) error {
	var all sync.WaitGroup
	all.Go(func() { w.makeAdmin(ctx) })
	all.Go(func() { w.hashPlain(ctx) })
	all.Go(func() { w.writeHistory(ctx) })
	all.Go(func() { w.sweep(ctx) })
	all.Wait()
	w.kube.Close()
	return nil
}

// known is how long Create waits for the store to hear of what was made.
const known = 10 * time.Second

// NewUser is a user who comes from somewhere else.
type NewUser struct {
	Name, Email, DisplayName string
	Groups                   []string
	Provider, ProviderUID    string // of the identity provider; the user can log in by it alone
}

// user is a User as it is stored.
type user struct {
	APIVersion string     `json:"apiVersion,omitempty"`
	Kind       string     `json:"kind,omitempty"`
	Metadata   meta       `json:"metadata"`
	Spec       userSpec   `json:"spec"`
	Status     userStatus `json:"status"`
}

type meta struct {
	Name            string            `json:"name,omitempty"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Annotations     map[string]string `json:"annotations,omitempty"`
}

type userSpec struct {
	Email       string   `json:"email,omitempty"`
	DisplayName string   `json:"displayName,omitempty"`
	Groups      []string `json:"groups,omitempty"`
	Password    string   `json:"password,omitempty"`
}

type userStatus struct {
	State         string `json:"state,omitempty"`
	LastLoginTime string `json:"lastLoginTime,omitempty"`
}

// Create makes an active user without a password, and returns when the store knows the account, so that what is issued
// for it is good at once. kube.Exists says whether the name was taken.
func (w *Writer) Create(ctx context.Context, u NewUser) (*account.Account, error) {
	o := user{
		APIVersion: "iam.kubesphere.io/v1alpha2", Kind: "User", Metadata: meta{Name: u.Name},
		Spec: userSpec{Email: u.Email, DisplayName: u.DisplayName, Groups: u.Groups}, Status: userStatus{State: account.Active},
	}
	if u.Provider != "" {
		o.Metadata.Labels = map[string]string{providerLabel: u.Provider, uidLabel: u.ProviderUID}
	}
	if err := w.kube.Create(ctx, userPath, o, nil); err != nil {
		return nil, fmt.Errorf("cannot create user %q: %w", u.Name, err)
	}
	return w.hear(ctx, u.Name, func(*account.Account) bool { return true })
}
