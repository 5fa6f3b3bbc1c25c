package ldap

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/idp"
	"github.com/posternhq/postern/gateway/idp/ldap/ldaptest"
)

const root = "../../.."

// client is a provider of options that is closed with the test.
func client(t *testing.T, options map[string]any) *provider {
	t.Helper()
	raw, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Type.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p.(*provider)
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestDirectory(t *testing.T) {
	s := ldaptest.Start(t, root)
	ada := idp.Identity{UID: "ada", Name: "ada", Email: "ada@example.org", DisplayName: "Ada Lovelace"}

	t.Run("identity", func(t *testing.T) {
		p := client(t, s.Options())
		for _, name := range []string{"ada", "ADA"} { // the directory compares as its schema says
			id, err := p.Login(within(t), name, "ada's password")
			if err != nil || id.UID != ada.UID || id.Name != ada.Name || id.Email != ada.Email || id.DisplayName != ada.DisplayName || id.Groups != nil {
				t.Errorf("%s is %+v, %v", name, id, err)
			}
		}
		id, err := client(t, s.Options("uidAttribute", "employeeNumber", "displayNameAttribute", "cn")).Login(within(t), "ada", "ada's password")
		if err != nil || id.UID != "1815" || id.DisplayName != "Ada" {
			t.Errorf("ada by number is %+v, %v", id, err)
		}
	})

	t.Run("refused", func(t *testing.T) {
		p := client(t, s.Options("userSearchFilter", "(!(employeeType=former))"))
		for what, c := range map[string]struct{ name, password string }{
			"wrong password":                     {"ada", "nobody's password"},
			"unknown name":                       {"nobody", "ada's password"},
			"empty password":                     {"ada", ""},
			"empty name":                         {"", "ada's password"},
			"filter in the name":                 {"*", "ada's password"},
			"filter that closes":                 {"ada)(uid=*", "ada's password"},
			"two entries":                        {"twin", "twin's password"},
			"left, by filter":                    {"left", "left's password"},
			"locked by policy":                   {"locked", "locked's password"},
			"entry without password":             {"nopass", "x"},
			"NUL":                                {"ada\x00", "ada's password"},
			"a space more":                       {"ada ", "ada's password"},
			"another form of Unicode":            {"\uff41da", "ada's password"},
			"long name":                          {strings.Repeat("a", maxName+1), "x"},
			"long password":                      {"ada", strings.Repeat("a", maxPassword+1)},
			"another's password":                 {"ada", "grace's password"},
			"manager, who is not below the base": {"manager", ldaptest.ManagerPassword},
		} {
			if id, err := p.Login(within(t), c.name, c.password); !errors.Is(err, idp.ErrRefused) || id.UID != "" {
				t.Errorf("%s: %+v, %v", what, id, err)
			}
		}
		if id, err := p.Login(within(t), "star*()", "star's password"); err != nil || id.UID != "star*()" {
			t.Errorf("a name with a filter's characters: %+v, %v", id, err)
		}
		if _, err := client(t, s.Options()).Login(within(t), "left", "left's password"); err != nil {
			t.Errorf("without the filter: %v", err)
		}
	})

	t.Run("groups", func(t *testing.T) {
		search := []any{"groupSearchBase", "ou=groups," + ldaptest.Base, "groupMemberAttribute", "member"}
		engines, poets := "cn=engines,ou=groups,"+ldaptest.Base, "cn=poets,ou=groups,"+ldaptest.Base
		for what, c := range map[string]struct {
			options []any
			want    []string
		}{
			"of the entry": {[]any{"userMemberAttribute", "memberOf"}, []string{engines}},
			"searched":     {search, []string{engines, poets}},
			"filtered":     {append(search, "groupSearchFilter", "cn=poets"), []string{poets}},
		} {
			id, err := client(t, s.Options(c.options...)).Login(within(t), "ada", "ada's password")
			slices.Sort(id.Groups)
			if err != nil || !slices.Equal(id.Groups, c.want) {
				t.Errorf("%s: %q, %v", what, id.Groups, err)
			}
		}
		if g := group("CN=Poets, OU=groups,dc=example,dc=org"); g != poets {
			t.Errorf("group is %q", g)
		}
	})

	t.Run("nobody searches", func(t *testing.T) {
		id, err := client(t, s.Options("managerDN", "", "managerPassword", "")).Login(within(t), "ada", "ada's password")
		if err != nil || id.UID != "ada" {
			t.Errorf("%+v, %v", id, err)
		}
	})

	t.Run("manager refused", func(t *testing.T) {
		_, err := client(t, s.Options("managerPassword", "wrong")).Login(within(t), "ada", "ada's password")
		if !errors.Is(err, idp.ErrUnavailable) || errors.Is(err, idp.ErrRefused) || !strings.Contains(err.Error(), ldaptest.Manager) {
			t.Errorf("%v", err)
		}
		_, err = client(t, s.Options("userSearchBase", "ou=nowhere,"+ldaptest.Base)).Login(within(t), "ada", "ada's password")
		if !errors.Is(err, idp.ErrUnavailable) {
			t.Errorf("no such base: %v", err)
		}
	})

	t.Run("TLS", func(t *testing.T) {
		data := base64.StdEncoding.EncodeToString(s.CA)
		for what, c := range map[string]struct {
			options []any
			ok      bool
		}{
			"StartTLS, CA file":    {[]any{"startTLS", true, "rootCA", s.CAFile}, true},
			"StartTLS, CA data":    {[]any{"startTLS", true, "rootCAData", data}, true},
			"StartTLS, unknown CA": {[]any{"startTLS", true}, false},
			"StartTLS, unchecked":  {[]any{"startTLS", true, "insecureSkipVerify", true}, true},
			"LDAPS, CA file":       {[]any{"host", "ldaps://" + s.TLSAddress, "rootCA", s.CAFile}, true},
			"LDAPS, unknown CA":    {[]any{"host", "ldaps://" + s.TLSAddress}, false},
			"LDAPS, wrong name":    {[]any{"host", "ldaps://" + strings.Replace(s.TLSAddress, "127.0.0.1", "localhost", 1), "rootCA", s.CAFile}, false},
			"LDAPS to plain LDAP":  {[]any{"host", "ldaps://" + s.Address, "rootCA", s.CAFile}, false},
		} {
			p := client(t, s.Options(c.options...))
			_, err := p.Login(within(t), "ada", "ada's password")
			if c.ok != (err == nil) || err != nil && !errors.Is(err, idp.ErrUnavailable) {
				t.Errorf("%s: %v", what, err)
			}
			if c.ok {
				kept := p.pool.take()
				if kept == nil {
					t.Fatalf("%s: no connection is kept", what)
				}
				if _, encrypted := kept.TLSConnectionState(); !encrypted {
					t.Errorf("%s: not encrypted", what)
				}
				_ = kept.Close()
			}
		}
	})

	t.Run("pool", func(t *testing.T) {
		p := client(t, s.Options("maxConnections", 2))
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				password, want := "ada's password", error(nil)
				if i%2 == 1 {
					password, want = "wrong", idp.ErrRefused
				}
				if _, err := p.Login(within(t), "ada", password); !errors.Is(err, want) {
					t.Errorf("login %d: %v", i, err)
				}
			})
		}
		all.Wait()
		if n := len(p.pool.idle); n < 1 || n > 2 || len(p.pool.slots) != 0 {
			t.Errorf("%d connections are idle, %d slots taken", n, len(p.pool.slots))
		}
	})

	t.Run("killed and back", func(t *testing.T) {
		p := client(t, s.Options("maxConnections", 3))
		login := func() error {
			_, err := p.Login(within(t), "ada", "ada's password")
			return err
		}
		if err := login(); err != nil {
			t.Fatal(err)
		}
		s.Kill()
		if err := login(); !errors.Is(err, idp.ErrUnavailable) || errors.Is(err, idp.ErrRefused) {
			t.Errorf("killed: %v", err)
		}
		if err := s.Run(); err != nil {
			t.Fatal(err)
		}
		if err := login(); err != nil {
			t.Errorf("back: %v", err)
		}
		// Killed and back while a connection is kept: nobody notices.
		s.Kill()
		if err := s.Run(); err != nil {
			t.Fatal(err)
		}
		if err := login(); err != nil {
			t.Errorf("back, with a kept connection: %v", err)
		}
	})
}

// TestSilentDirectory: one that accepts and says nothing costs no more than the time that is allowed, and a client that leaves
// ends the wait.
func TestSilentDirectory(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, more := range []map[string]any{{}, {"startTLS": true}, {"host": "ldaps://" + l.Addr().String()}} {
		o := map[string]any{"host": l.Addr().String(), "userSearchBase": "dc=x", "loginAttribute": "uid", "readTimeout": 50}
		for k, v := range more {
			o[k] = v
		}
		if _, err := client(t, o).Login(within(t), "ada", "x"); !errors.Is(err, idp.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v: %v", more, err)
		}
		o["readTimeout"] = "10m"
		ctx, cancel := context.WithCancel(within(t))
		go cancel()
		if _, err := client(t, o).Login(ctx, "ada", "x"); !errors.Is(err, context.Canceled) {
			t.Errorf("%v: %v", more, err)
		}
	}
}

// TestEndlessDirectory: a directory that never stops talking is left.
func TestEndlessDirectory(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	defer served.Wait()
	defer l.Close()
	served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer c.Close()
				// Intermediate responses of 30,000 bytes to message 9, which nobody has sent.
				message := "\x30\x82\x75\x3b" + "\x02\x01\x09" + "\x79\x82\x75\x34" + "\x81\x82\x75\x30" + strings.Repeat("x", 0x7530)
				for data := []byte(message); ; {
					if _, err := c.Write(data); err != nil {
						return
					}
				}
			})
		}
	})
	p := client(t, map[string]any{"host": l.Addr().String(), "userSearchBase": "dc=x", "loginAttribute": "uid", "readTimeout": "30s"})
	if _, err := p.Login(within(t), "ada", "x"); !errors.Is(err, idp.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
