package users_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/kube"
	"github.com/posternhq/postern/gateway/login"
	"github.com/posternhq/postern/gateway/users"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a writer of a cluster until the test ends, or until the function is called.
func start(t *testing.T, c *cluster, change func(*users.Options)) (*users.Writer, func()) {
	t.Helper()
	o := users.Options{Config: c.config(), Store: c, Log: zerolog.New(zerolog.NewTestWriter(t))}
	if change != nil {
		change(&o)
	}
	k, err := users.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := k.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop := sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(stop)
	return k, stop
}

func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not so: %s", what)
		}
	}
}

func fits(hash, password string) bool {
	return (&account.Account{PasswordHash: hash}).Hashed() && bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
}

// TestFirstAdmin: on a platform without users one is made, by two replicas at once, and its password is shown once.
func TestFirstAdmin(t *testing.T) {
	c := newCluster(t)
	var mu sync.Mutex
	var shown []string
	admin := func(o *users.Options) {
		o.Admin = users.Admin{Name: "root", Namespace: "ns", Secret: "s", Print: func(name, password string) {
			mu.Lock()
			defer mu.Unlock()
			shown = append(shown, name, password)
		}}
	}
	start(t, c, admin)
	start(t, c, admin)
	close(c.read)
	await(t, "the password to be shown", func() bool { mu.Lock(); defer mu.Unlock(); return len(shown) > 0 })
	mu.Lock()
	defer mu.Unlock()
	if len(shown) != 2 || shown[0] != "root" || !fits(c.Account("root").PasswordHash, shown[1]) || c.Account("root").State != "Active" {
		t.Errorf("shown %q, stored %+v", shown, c.Account("root"))
	}
	if roles, bindings := c.names("globalroles"), c.names("globalrolebindings"); !slices.Equal(roles, []string{"platform-admin"}) || !slices.Equal(bindings, []string{"root-platform-admin"}) {
		t.Errorf("roles %q, bindings %q", roles, bindings)
	}
}

func TestFirstAdminOfASecret(t *testing.T) {
	c := newCluster(t)
	c.objects["/api/v1/namespaces/ns/secrets/s"] = map[string]any{"data": map[string]any{"password": "bXkgcGFzc3dvcmQ="}}
	close(c.read)
	start(t, c, func(o *users.Options) {
		o.Admin = users.Admin{Name: "root", Namespace: "ns", Secret: "s", Print: func(string, string) { t.Error("a given password was shown") }}
	})
	await(t, "the administrator", func() bool { return c.Account("root") != nil })
	if !fits(c.Account("root").PasswordHash, "my password") {
		t.Errorf("stored %+v", c.Account("root"))
	}
}

// TestNoSecondAdmin: where there is any user, none is made.
func TestNoSecondAdmin(t *testing.T) {
	c := newCluster(t)
	c.put(prefix+"users/somebody", map[string]any{"spec": map[string]any{"password": "typed"}})
	close(c.read)
	k, stop := start(t, c, func(o *users.Options) {
		o.Admin = users.Admin{Name: "root", Print: func(string, string) { t.Error("a password was shown") }}
	})
	k.Plain("somebody", "1", "typed") // something to wait for
	await(t, "the password to be hashed", func() bool { return c.Account("somebody").Hashed() })
	stop()
	if got := c.names("users"); !slices.Equal(got, []string{"somebody"}) {
		t.Errorf("users %q", got)
	}
}

// TestPlainPasswords are hashed where they are, unless they have changed meanwhile; failures are tried again.
func TestPlainPasswords(t *testing.T) {
	c := newCluster(t)
	c.put(prefix+"users/fresh", map[string]any{"spec": map[string]any{"password": "typed", "email": "a@b"}})
	c.put(prefix+"users/off", map[string]any{"spec": map[string]any{"password": "typed"}, "status": map[string]any{"state": "Disabled"}})
	k, _ := start(t, c, nil)
	k.Plain("fresh", "0", "something older")
	k.Plain("off", "2", "typed")
	k.Plain("gone", "3", "typed")
	await(t, "a disabled user's password to be hashed", func() bool { return fits(c.Account("off").PasswordHash, "typed") })
	if c.Account("off").State != "Disabled" {
		t.Error("a disabled user became active")
	}
	if c.Account("fresh").PasswordHash != "typed" {
		t.Error("a password was hashed that had been replaced")
	}
	k.Plain("fresh", "1", "typed")
	await(t, "a fresh user's password to be hashed", func() bool { return fits(c.Account("fresh").PasswordHash, "typed") })
	if o := c.get("users/fresh"); c.Account("fresh").State != "Active" || text(o, "spec", "email") != "a@b" || text(o, "metadata", "annotations", "iam.kubesphere.io/last-password-change-time") == "" {
		t.Errorf("got %v", o)
	}
}

func TestHash(t *testing.T) {
	for password, want := range map[string]error{"": users.ErrEmptyPassword, strings.Repeat("x", 73): users.ErrLongPassword} {
		if _, err := users.Hash(t.Context(), password); err != want {
			t.Errorf("%d bytes: %v", len(password), err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	hash, err := users.Hash(t.Context(), strings.Repeat("x", 72))
	if err != nil || !fits(hash, strings.Repeat("x", 72)) {
		t.Errorf("%q, %v", hash, err)
	}
	for range 100 { // it may go on when it need not wait
		if _, err = users.Hash(ended, "x"); err != nil {
			break
		}
	}
	if err != context.Canceled {
		t.Errorf("got %v for a client that has left", err)
	}
}

func TestCreate(t *testing.T) {
	c := newCluster(t)
	k, _ := start(t, c, nil)
	u := users.NewUser{Name: "lena", Email: "l@x", DisplayName: "Lena", Groups: []string{"devs"}, Provider: "ldap", ProviderUID: "1001"}
	a, err := k.Create(t.Context(), u)
	if err != nil || a.Name != "lena" || a.State != "Active" {
		t.Fatalf("%+v, %v", a, err)
	}
	o := c.get("users/lena")
	if text(o, "metadata", "labels", "iam.kubesphere.io/identify-provider") != "ldap" || text(o, "metadata", "labels", "iam.kubesphere.io/origin-uid") != "1001" {
		t.Errorf("got %v", o)
	}
	if _, err := k.Create(t.Context(), u); !kube.Exists(err) {
		t.Errorf("got %v for a name that is taken", err)
	}
}

// TestLoginHistory: batches with one success a user, what is queued at the end, nothing for strangers, and the sweep.
func TestLoginHistory(t *testing.T) {
	c := newCluster(t)
	for _, name := range []string{"ann", "bob"} {
		c.put(prefix+"users/"+name, map[string]any{"spec": map[string]any{}})
	}
	k, stop := start(t, c, nil)
	at := time.Now().Add(-time.Hour)
	for i := range 5 {
		k.Record(login.Record{User: "ann", Kind: "Password", Success: true, SourceIP: fmt.Sprint("10.0.0.", i), Time: at.Add(time.Duration(i) * time.Minute)})
		k.Record(login.Record{User: "bob", Kind: "Password", Reason: "wrong password", Time: at.Add(time.Duration(i) * time.Minute)})
		k.Record(login.Record{User: "nobody", Kind: "Password", Reason: "wrong password", Time: at})
	}
	stop()
	of := map[string]int{}
	for _, name := range c.names("loginrecords") {
		o := c.get("loginrecords/" + name)
		of[text(o, "metadata", "labels", "iam.kubesphere.io/user-ref")]++
	}
	if of["ann"] == 0 || of["ann"] > 2 || of["bob"] != 5 || len(of) != 2 { // a batch may have been written between two of ann's
		t.Errorf("records %v", of)
	}
	if got, want := text(c.get("users/ann"), "status", "lastLoginTime"), at.Add(4*time.Minute).UTC().Format(time.RFC3339); got != want {
		t.Errorf("last login %q, want %q", got, want)
	}

	c.put(prefix+"loginrecords/ann-x1", map[string]any{"metadata": map[string]any{
		"name": "ann-x1", "labels": map[string]any{"iam.kubesphere.io/user-ref": "ann"}, "creationTimestamp": "2020-01-01T00:00:00Z",
	}})
	k.SetHistory(users.History{Retention: time.Hour, Entries: 2})
	if err := k.Sweep(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	left := map[string][]string{}
	for _, name := range c.names("loginrecords") {
		o := c.get("loginrecords/" + name)
		user := text(o, "metadata", "labels", "iam.kubesphere.io/user-ref")
		left[user] = append(left[user], name)
	}
	if len(left["bob"]) != 2 || slices.Contains(left["ann"], "ann-x1") {
		t.Errorf("left %v", left)
	}
	newest := fmt.Sprintf("%016x", ^uint64(at.Add(4*time.Minute).UnixNano()))
	if !strings.Contains(left["bob"][0], newest) {
		t.Errorf("not the newest is left: %q, want %s", left["bob"], newest)
	}
}
