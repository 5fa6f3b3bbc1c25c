package authn

import (
	"crypto/x509"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/exchange"
)

// Certificates say what clients' certificates are good for. The listener has verified them.
type Certificates struct {
	Enabled bool
	System  bool // names and groups that begin with `system:` are theirs too
}

// certificateSlots is how many connections' users are kept ready.
const certificateSlots = 1024

// certificates keep whose certificate it is, by connection. Of two with one slot the later stays.
type certificates [certificateSlots]atomic.Pointer[holder]

type holder struct {
	leaf    *x509.Certificate
	account *account.Account
	user    *exchange.User
}

// certificate says whose certificate the client has shown; nil: it has shown none. It is good as long as the connection lasts,
// until it expires.
func (s *Stage) certificate(x *exchange.Exchange) (*exchange.User, error) {
	tls := x.HTTP.TLSConnectionState()
	if tls == nil || len(tls.VerifiedChains) == 0 {
		return nil, nil //nolint:nilnil // see above
	}
	leaf := tls.PeerCertificates[0]
	if now := time.Now(); now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		return nil, errCertificateTime
	}
	name := leaf.Subject.CommonName
	ready := s.ready()
	a := s.o.Users.Account(name)
	if a == nil && ready != nil {
		return nil, ready
	}
	if a != nil && a.State == account.Disabled {
		return nil, errInactive
	}
	slot := &s.certificates[uintptr(unsafe.Pointer(leaf))/unsafe.Sizeof(*leaf)%certificateSlots]
	if h := slot.Load(); h != nil && h.leaf == leaf && h.account == a {
		return h.user, nil
	}
	if name == "" || strings.HasPrefix(name, "system:") && !s.o.Certificates.System {
		return nil, errCertificateName
	}
	user := &exchange.User{Name: name, Groups: s.organizations(leaf), Method: Certificate}
	if a != nil {
		user.UID = a.UID
	}
	slot.Store(&holder{leaf, a, user})
	return user, nil
}

// organizations are the groups of a certificate.
func (s *Stage) organizations(leaf *x509.Certificate) []string {
	groups := make([]string, 0, len(leaf.Subject.Organization)+1)
	for _, g := range leaf.Subject.Organization {
		if s.mayHave(g) || s.o.Certificates.System && g != "" && !slices.Contains(s.o.ReservedGroups, g) {
			groups = append(groups, g)
		}
	}
	if !slices.Contains(groups, authenticated) {
		groups = append(groups, authenticated)
	}
	return groups
}
