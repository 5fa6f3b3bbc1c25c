// Package ldaptest runs a real OpenLDAP for tests: slapd as `make servers` fetches it, with people in it, on free ports of
// loopback, as plain LDAP with StartTLS and as LDAPS.
package ldaptest

import (
	"bytes"
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"
)

// Of the directory: see people.ldif.
const (
	Base            = "dc=example,dc=org"
	Manager         = "cn=manager," + Base
	ManagerPassword = "manager's secret"
)

//go:embed people.ldif
var people string

//go:embed slapd.conf.tmpl
var config string

// Server is a directory that runs until its test ends.
type Server struct {
	Address    string // host:port of LDAP; StartTLS works there
	TLSAddress string // host:port of LDAPS
	CA         []byte // PEM of who signed its certificate
	CAFile     string // the same

	slapd string
	dir   string
	cmd   *exec.Cmd
	ended chan struct{}
	log   *bytes.Buffer
}

// Start starts a directory. root is the folder of the repository, as seen from the test.
func Start(t testing.TB, root string) *Server {
	t.Helper()
	servers, err := filepath.Abs(filepath.Join(root, ".postern", "servers"))
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{slapd: filepath.Join(servers, "bin", "slapd"), dir: t.TempDir()}
	if _, err := os.Stat(s.slapd); err != nil {
		t.Fatalf("%v\n(`make servers` fetches OpenLDAP)", err)
	}
	s.certificates(t)
	s.write(t, "slapd.conf", config, map[string]string{"Dir": s.dir, "Servers": servers, "Base": Base, "Manager": Manager, "Password": ManagerPassword})
	s.write(t, "people.ldif", people, map[string]string{"Base": Base})
	if err := os.Mkdir(filepath.Join(s.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	add := exec.Command(s.slapd, "-Tadd", "-f", s.path("slapd.conf"), "-l", s.path("people.ldif"))
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("cannot fill the directory: %v\n%s", err, out)
	}
	t.Cleanup(s.Kill)
	for attempt := 0; ; attempt++ {
		s.Address, s.TLSAddress = free(t), free(t)
		err := s.Run()
		if err == nil {
			return s
		}
		if attempt == 5 { // somebody else may have taken a port meanwhile
			t.Fatal(err)
		}
	}
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

func (s *Server) write(t testing.TB, name, text string, values map[string]string) {
	t.Helper()
	var b bytes.Buffer
	if err := template.Must(template.New(name).Parse(text)).Execute(&b, values); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path(name), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Run starts slapd, on the same ports as before, and waits until it answers.
func (s *Server) Run() error {
	s.log = new(bytes.Buffer)
	s.cmd = exec.Command(s.slapd, "-f", s.path("slapd.conf"), "-h", fmt.Sprintf("ldap://%s ldaps://%s", s.Address, s.TLSAddress), "-d", "none")
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("cannot start slapd: %w", err)
	}
	ended := make(chan struct{})
	s.ended = ended
	go func(cmd *exec.Cmd) { _ = cmd.Wait(); close(ended) }(s.cmd)
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	deadline := time.After(time.Minute)
	for {
		if s.answers() {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("slapd ended: %v\n%s", s.cmd.ProcessState, s.log)
		case <-deadline:
			s.Kill()
			return fmt.Errorf("slapd does not answer\n%s", s.log)
		case <-poll.C:
		}
	}
}

// answers says whether both ports are open.
func (s *Server) answers() bool {
	for _, address := range []string{s.Address, s.TLSAddress} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		_ = c.Close()
	}
	return true
}

// Kill ends slapd at once, as a crash would.
func (s *Server) Kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

// Options are those of an LDAPIdentityProvider for this directory, without TLS; more are put over them, a pair each.
func (s *Server) Options(more ...any) map[string]any {
	o := map[string]any{
		"host": s.Address, "managerDN": Manager, "managerPassword": ManagerPassword, "userSearchBase": "ou=people," + Base,
		"loginAttribute": "uid", "mailAttribute": "mail",
	}
	for i := 0; i+1 < len(more); i += 2 {
		o[fmt.Sprint(more[i])] = more[i+1]
	}
	return o
}

func free(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strings.Clone(l.Addr().String())
}
