package idp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/rs/zerolog"
	"golang.org/x/sync/singleflight"

	"github.com/posternhq/postern/gateway/account"
)

// Mapping methods: how an account is found for an identity that none is linked to.
const (
	Auto   = "auto"   // it is made
	Lookup = "lookup" // there must be one
)

// Spec is one entry of identityProviders.
type Spec struct {
	Name    string
	Type    string
	Mapping string         // Auto or Lookup; empty: Auto
	Options map[string]any // of the type, and groupMapping
}

// NewUser is an account to be made for somebody whom a provider has let in.
type NewUser struct {
	Name          string // valid as a name in Kubernetes and as a label
	Email         string // verified by the provider, or empty
	DisplayName   string // may be empty
	Groups        []string
	Provider, UID string // of the link: the labels of the account have them
}

// Creator makes and changes accounts. Both return once account.Users knows the result.
type Creator interface {
	// Create makes an account that has no password. Its error is ErrTaken if the name is in use.
	Create(ctx context.Context, u NewUser) (*account.Account, error)
	// Regroup changes the groups of an account as change says of those that are stored.
	Regroup(ctx context.Context, name string, change func(has []string) []string) (*account.Account, error)
}

// Options of a Set.
type Options struct {
	Types    []Type
	Users    account.Users
	Accounts Creator
	// Known returns when Users knows everybody, or with an error when ctx ends: whom nobody knows yet would be made a second
	// time. nil: at once.
	Known func(ctx context.Context) error
	Log   zerolog.Logger // says what was done to accounts, and why nothing was
}

// Set is the identity providers of one configuration. It is safe for concurrent use.
type Set struct {
	o       Options
	specs   []Spec
	entries []*entry
	flight  singleflight.Group // logins of one identity at the same time make one account
}

// entry is one provider.
type entry struct {
	Spec
	provider Provider
	groups   map[string]string // of the provider to ours
	managed  []string          // ours, sorted: what logging in may add and take away
}

// New makes the providers of specs. It connects to nothing. The error is a *SpecError; nothing is left then.
func New(specs []Spec, o Options) (*Set, error) {
	s := &Set{o: o, specs: specs}
	for i, spec := range specs {
		e, err := newEntry(spec, o.Types)
		if err != nil {
			s.Close()
			return nil, &SpecError{i, err}
		}
		s.entries = append(s.entries, e)
	}
	return s, nil
}

// SpecError says which spec is wrong; Key is the path of the key below the entry, or empty.
type SpecError struct {
	Index int
	Err   error // an *OptionError; its Key is a path below the entry
}

func (e *SpecError) Error() string {
	return fmt.Sprintf("cannot use identity provider %d: %v", e.Index, e.Err)
}

func (e *SpecError) Unwrap() error { return e.Err }

// Check says what is wrong with a spec, as New would, and makes nothing.
func Check(spec Spec, types []Type) error {
	e, err := newEntry(spec, types)
	if err == nil {
		e.provider.Close()
	}
	return err
}

func newEntry(spec Spec, types []Type) (*entry, error) {
	if !validLabel(spec.Name) {
		return nil, Wrong("name", "want a name that can be a label and part of a path (letters, digits, -, _ and ., at most 63), have %q", spec.Name)
	}
	switch spec.Mapping {
	case "":
		spec.Mapping = Auto
	case Auto, Lookup:
	default:
		return nil, Wrong("mappingMethod", "%s is not supported: want auto or lookup", spec.Mapping)
	}
	i := slices.IndexFunc(types, func(t Type) bool { return t.Name == spec.Type })
	if i < 0 {
		return nil, Wrong("type", "there is no type %q: want one of %s", spec.Type, strings.Join(names(types), ", "))
	}
	e := &entry{Spec: spec}
	options, err := e.mapGroups(&types[i])
	if err == nil {
		e.provider, err = types[i].New(options)
	}
	if err != nil {
		return nil, below("provider", err)
	}
	return e, nil
}

// below puts key before the key of err.
func below(key string, err error) error {
	var wrong *OptionError
	if !errors.As(err, &wrong) {
		return &OptionError{key, err}
	}
	if wrong.Key != "" {
		key += "." + wrong.Key
	}
	return &OptionError{key, wrong.Err}
}

func names(types []Type) []string {
	all := make([]string, len(types))
	for i, t := range types {
		all[i] = t.Name
	}
	return all
}

// marshal is options without the one that is common to all types.
func marshal(options map[string]any) (json.RawMessage, error) {
	rest := make(map[string]any, len(options))
	for key, value := range options {
		if !strings.EqualFold(key, groupMapping) {
			rest[key] = value
		}
	}
	var b bytes.Buffer
	err := json.NewEncoder(&b).Encode(rest)
	return b.Bytes(), err
}

// Same says whether a set of specs would be like s.
func (s *Set) Same(specs []Spec) bool { return reflect.DeepEqual(s.specs, specs) }

// Close frees what the providers hold.
func (s *Set) Close() {
	for _, e := range s.entries {
		e.provider.Close()
	}
}

// Info is a provider as people choose it.
type Info struct {
	Name  string
	Pages bool // has pages of its own, to which browsers are sent; else it takes passwords
}

// Providers are all there are, in the order of the configuration.
func (s *Set) Providers() []Info {
	all := make([]Info, len(s.entries))
	for i, e := range s.entries {
		_, pages := e.provider.(OAuthProvider)
		all[i] = Info{e.Name, pages}
	}
	return all
}

func (s *Set) find(name string) *entry {
	for _, e := range s.entries {
		if e.Name == name {
			return e
		}
	}
	return nil
}

// Login checks a password with a provider that does so, and gives the account that belongs to it. The state of the account is
// the caller's to look at. Errors are those of this package; a refusal is ErrRefused.
func (s *Set) Login(ctx context.Context, provider, name, password string) (*account.Account, error) {
	e := s.find(provider)
	if e == nil {
		return nil, fmt.Errorf("cannot log in with %q: %w", provider, ErrUnknown)
	}
	p, ok := e.provider.(PasswordProvider)
	if !ok {
		return nil, fmt.Errorf("cannot log in with %q by password: %w", provider, ErrUnknown)
	}
	if name == "" || password == "" {
		return nil, fmt.Errorf("cannot log in with %q: empty name or password: %w", provider, ErrRefused)
	}
	id, err := p.Login(ctx, name, password)
	if err != nil {
		return nil, fmt.Errorf("cannot log in with %q: %w", provider, err)
	}
	return s.account(ctx, e, id)
}

// Map is the account that belongs to an identity of a provider; with mapping auto it is made if there is none.
func (s *Set) Map(ctx context.Context, provider string, id Identity) (*account.Account, error) {
	e := s.find(provider)
	if e == nil {
		return nil, fmt.Errorf("cannot map an identity of %q: %w", provider, ErrUnknown)
	}
	return s.account(ctx, e, id)
}
