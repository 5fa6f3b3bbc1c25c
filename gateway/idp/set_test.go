package idp

import (
	"context"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/posternhq/postern/gateway/account"
)

// corp is a provider whose identities are given to Map.
func corp(options ...any) Spec {
	s := Spec{Name: "corp", Type: "Pages", Options: map[string]any{}}
	for i := 0; i+1 < len(options); i += 2 {
		s.Options[options[i].(string)] = options[i+1]
	}
	return s
}

func TestMapCreates(t *testing.T) {
	p := &platform{}
	s := newSet(t, p, corp())
	id := Identity{UID: "auth0|42", Name: "Ada Lovelace", Email: "ada@example.org", DisplayName: " Ada\n ", Groups: []string{"admins", "system:masters"}}
	want := &account.Account{
		Name: "ada-lovelace", Email: "ada@example.org", DisplayName: "Ada", State: account.Active,
		Provider: "corp", ProviderUID: hashed + digest("auth0|42", 20),
	}
	a, err := s.Map(t.Context(), "corp", id)
	if err != nil || !reflect.DeepEqual(a, want) {
		t.Fatalf("%+v, %v", a, err)
	}
	id.Name, id.Email = "Countess", "countess@example.org" // the link is the UID alone
	if b, err := s.Map(t.Context(), "corp", id); err != nil || b != a || p.created != 1 {
		t.Errorf("%+v, %v, %d accounts", b, err, p.created)
	}
	if _, err := s.Map(t.Context(), "corp", Identity{Name: "eve"}); !errors.Is(err, ErrRefused) {
		t.Errorf("without a UID: %v", err)
	}
	if _, err := s.Map(t.Context(), "other", id); !errors.Is(err, ErrUnknown) {
		t.Errorf("another provider: %v", err)
	}
}

// TestNoTakeover: an identity gets the account that is linked to it, never one that only has the same name or e-mail.
func TestNoTakeover(t *testing.T) {
	local := &account.Account{Name: "ada", Email: "ada@example.org", State: account.Active}
	other := &account.Account{Name: "grace", Provider: "corp", ProviderUID: "7", State: account.Active}
	for what, id := range map[string]Identity{
		"name of a local account":           {UID: "1", Name: "ada"},
		"name in capitals":                  {UID: "1", Name: "ADA"},
		"e-mail of a local account":         {UID: "1", Name: "new", Email: "Ada@Example.org"},
		"name of another identity":          {UID: "1", Name: "grace"},
		"name of the administrator":         {UID: "1", Name: "Admin"},
		"UID of another, hashed beforehand": {UID: label("a|b"), Name: "grace"},
	} {
		p := &platform{}
		p.add(local)
		p.add(other)
		a, err := newSet(t, p, corp()).Map(t.Context(), "corp", id)
		if !errors.Is(err, ErrTaken) || a != nil || p.created != 0 {
			t.Errorf("%s: %+v, %v", what, a, err)
		}
	}
	p := &platform{}
	p.add(local)
	_, err := newSet(t, p, corp()).Map(t.Context(), "corp", Identity{UID: "1", Name: "ada"})
	for _, part := range []string{`user "ada"`, LabelProvider + "=corp", LabelUID + "=1"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
	// The same UID at another provider is somebody else.
	p.add(other)
	s := newSet(t, p, corp(), Spec{Name: "second", Type: "Pages"})
	if a, err := s.Map(t.Context(), "second", Identity{UID: "7", Name: "eve"}); err != nil || a.Name != "eve" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestMapLookup(t *testing.T) {
	p := &platform{}
	spec := corp()
	spec.Mapping = Lookup
	s := newSet(t, p, spec)
	if a, err := s.Map(t.Context(), "corp", Identity{UID: "1", Name: "ada"}); !errors.Is(err, ErrNoAccount) || a != nil || p.created != 0 {
		t.Errorf("%+v, %v", a, err)
	}
	linked := p.add(&account.Account{Name: "a.lovelace", Provider: "corp", ProviderUID: "1", State: account.Active})
	if a, err := s.Map(t.Context(), "corp", Identity{UID: "1", Name: "ada"}); err != nil || a != linked {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestMapBeforeUsersAreRead: who is not known yet is not made a second time.
func TestMapBeforeUsersAreRead(t *testing.T) {
	p := &platform{}
	read := make(chan struct{})
	s, err := New([]Spec{corp()}, Options{Types: testTypes, Users: p, Accounts: p, Known: func(ctx context.Context) error {
		select {
		case <-read:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a, err := s.Map(ctx, "corp", Identity{UID: "1", Name: "ada"}); !errors.Is(err, ErrUnavailable) || a != nil || p.created != 0 {
		t.Errorf("%+v, %v", a, err)
	}
	linked := p.add(&account.Account{Name: "countess", Provider: "corp", ProviderUID: "1"})
	close(read)
	if a, err := s.Map(t.Context(), "corp", Identity{UID: "1", Name: "ada"}); err != nil || a != linked {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestMapAtOnce: logins of one identity at the same time make one account.
func TestMapAtOnce(t *testing.T) {
	p := &platform{}
	s := newSet(t, p, corp())
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if a, err := s.Map(t.Context(), "corp", Identity{UID: "1", Name: "ada"}); err != nil || a.Name != "ada" {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
	all.Wait()
	if p.created != 1 {
		t.Errorf("%d accounts", p.created)
	}
}

// TestMapRival: another replica makes the account, or an account of that name, in the same moment.
func TestMapRival(t *testing.T) {
	p := &platform{rival: func(u NewUser, p *platform) {
		p.add(&account.Account{Name: u.Name, Provider: u.Provider, ProviderUID: u.UID})
	}}
	if a, err := newSet(t, p, corp()).Map(t.Context(), "corp", Identity{UID: "1", Name: "ada"}); err != nil || a.Name != "ada" {
		t.Errorf("%+v, %v", a, err)
	}
	p = &platform{rival: func(u NewUser, p *platform) { p.add(&account.Account{Name: u.Name}) }}
	if a, err := newSet(t, p, corp()).Map(t.Context(), "corp", Identity{UID: "1", Name: "ada"}); !errors.Is(err, ErrTaken) || a != nil {
		t.Errorf("%+v, %v", a, err)
	}
	p = &platform{refuse: errors.New("no cluster")}
	if a, err := newSet(t, p, corp()).Map(t.Context(), "corp", Identity{UID: "1", Name: "ada"}); !errors.Is(err, ErrUnavailable) || a != nil {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestGroups(t *testing.T) {
	p := &platform{}
	s := newSet(t, p, corp("groupMapping", map[string]any{"Engines": "developers", "Poets": "writers", "Both": "writers"}))
	login := func(groups ...string) []string {
		t.Helper()
		a, err := s.Map(t.Context(), "corp", Identity{UID: "1", Name: "ada", Groups: groups})
		if err != nil {
			t.Fatal(err)
		}
		return a.Groups
	}
	if g := login("Engines", "system:masters", "developers"); !reflect.DeepEqual(g, []string{"developers"}) {
		t.Errorf("made with %q", g)
	}
	a := *p.Account("ada")
	a.Groups = append(a.Groups, "by hand")
	p.add(&a)
	if g := login("Poets", "Both"); !reflect.DeepEqual(g, []string{"by hand", "writers"}) {
		t.Errorf("changed to %q", g)
	}
	if g := login(); !reflect.DeepEqual(g, []string{"by hand"}) {
		t.Errorf("taken away: %q", g)
	}
	p.refuse = errors.New("no cluster")
	if a, err := s.Map(t.Context(), "corp", Identity{UID: "1", Groups: []string{"Poets"}}); !errors.Is(err, ErrUnavailable) || a != nil {
		t.Errorf("groups that cannot be set: %+v, %v", a, err)
	}
	if g := login(); !reflect.DeepEqual(g, []string{"by hand"}) { // nothing to set
		t.Errorf("%q", g)
	}
}

func TestLogin(t *testing.T) {
	p := &platform{}
	s := newSet(t, p, Spec{Name: "ldap", Type: "Passwords", Options: map[string]any{"UID": "1", "Name": "ada"}}, corp("UID", "1", "Name", "grace"))
	if a, err := s.Login(t.Context(), "ldap", "ada", "yes"); err != nil || a.Name != "ada" {
		t.Errorf("%+v, %v", a, err)
	}
	for what, c := range map[string]struct {
		provider, name, password string
		want                     error
	}{
		"wrong":    {"ldap", "ada", "no", ErrRefused},
		"empty":    {"ldap", "ada", "", ErrRefused},
		"nobody":   {"ldap", "", "yes", ErrRefused},
		"unknown":  {"nowhere", "ada", "yes", ErrUnknown},
		"of pages": {"corp", "ada", "yes", ErrUnknown},
	} {
		if a, err := s.Login(t.Context(), c.provider, c.name, c.password); !errors.Is(err, c.want) || a != nil {
			t.Errorf("%s: %+v, %v", what, a, err)
		}
	}
	v := s.Visits()
	if u, err := v.AuthorizeURL(t.Context(), "corp", Visit{State: "x"}); err != nil || !strings.HasSuffix(u, "state=x") {
		t.Errorf("%q, %v", u, err)
	}
	if a, err := v.Login(t.Context(), "corp", Visit{}, url.Values{"code": {"yes"}}); err != nil || a.Name != "grace" {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := v.Login(t.Context(), "corp", Visit{}, url.Values{"code": {"yes"}, "error": {"access_denied"}}); !errors.Is(err, ErrRefused) {
		t.Errorf("an error: %v", err)
	}
	if _, err := v.Login(t.Context(), "ldap", Visit{}, url.Values{"code": {"yes"}}); !errors.Is(err, ErrUnknown) {
		t.Errorf("of passwords: %v", err)
	}
	if all := s.Providers(); !reflect.DeepEqual(all, []Info{{"ldap", false}, {"corp", true}}) {
		t.Errorf("%+v", all)
	}
}

func TestSpecs(t *testing.T) {
	for what, c := range map[string]struct {
		spec      Spec
		key, says string
	}{
		"unknown type":     {Spec{Name: "a", Type: "Telepathy"}, "type", "Passwords, Pages"},
		"mixed":            {Spec{Name: "a", Type: "Pages", Mapping: "mixed"}, "mappingMethod", "not supported"},
		"unknown option":   {corp("colour", "red"), "provider.colour", "no option"},
		"wrong kind":       {corp("UID", 7), "provider.UID", "want string"},
		"name of no label": {Spec{Name: "a/b", Type: "Pages"}, "name", "label"},
		"groups of system": {corp("groupMapping", map[string]any{"a.b": "system:masters"}), `provider.groupMapping.a\.b`, "system:"},
		"groups, no text":  {corp("groupMapping", map[string]any{"a": 7}), "provider.groupMapping.a", "7"},
		"groups of a list": {corp("groupMapping", []any{"a"}), "provider.groupMapping", "map"},
	} {
		_, err := New([]Spec{corp(), c.spec}, Options{Types: testTypes})
		var spec *SpecError
		var option *OptionError
		if !errors.As(err, &spec) || spec.Index != 1 || !errors.As(err, &option) || option.Key != c.key || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", what, err)
		}
		if Check(c.spec, testTypes) == nil {
			t.Errorf("%s: Check sees nothing", what)
		}
	}
	s := newSet(t, &platform{}, corp("UID", "1"))
	if !s.Same([]Spec{corp("UID", "1")}) || s.Same([]Spec{corp("UID", "2")}) || s.Same(nil) {
		t.Error("Same is wrong")
	}
}
