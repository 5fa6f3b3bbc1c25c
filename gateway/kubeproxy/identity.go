package kubeproxy

import (
	"errors"
	"fmt"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/httpsyntax"
	"github.com/posternhq/postern/gateway/upstream"
)

// Identity is as whom kube-apiserver sees a request.
type Identity string

// The identities.
const (
	// Impersonate sends the user's name with one group of ours: Postern has decided, Kubernetes' audit shows the person.
	Impersonate Identity = "impersonate"
	// Strict sends the user's name, uid, groups and extra: Kubernetes' RBAC decides again.
	Strict Identity = "strict"
	// Plain sends the gateway's own credential alone.
	Plain Identity = "plain"
)

// DefaultGroup is the group that stands for Postern's decision; it is bound to cluster-admin.
const DefaultGroup = "postern:decided"

type identity struct {
	mode  Identity
	group string
}

var (
	errIdentity = errors.New("not one of impersonate, strict, plain")
	// errNobody protects from the worst: without Impersonate-User, the request would be the gateway's own.
	errNobody = errors.New("cannot impersonate: the request has no user")
)

func newIdentity(mode Identity, group string) (identity, error) {
	if mode == "" {
		mode = Impersonate
	}
	if group == "" {
		group = DefaultGroup
	}
	if mode != Impersonate && mode != Strict && mode != Plain {
		return identity{}, fmt.Errorf("cannot use identity %q: %w", mode, errIdentity)
	}
	if _, err := upstream.AppendHeader(nil, "Impersonate-Group", group); err != nil {
		return identity{}, err
	}
	return identity{mode: mode, group: group}, nil
}

// append appends the headers that make the request u's. A name that no header can carry unchanged is an error: never
// is a similar one sent.
func (id identity) append(b []byte, u *exchange.User) ([]byte, error) {
	if id.mode == Plain {
		return b, nil
	}
	if u == nil || u.Name == "" {
		return b, errNobody
	}
	b, err := upstream.AppendHeader(b, "Impersonate-User", u.Name)
	if err != nil {
		return b, err
	}
	if id.mode == Impersonate {
		return upstream.AppendHeader(b, "Impersonate-Group", id.group)
	}
	return id.appendReal(b, u)
}

// appendReal appends uid, groups and extra. Our own group is left out: it stands for a decision that strict leaves to
// Kubernetes, and nobody has it by membership.
func (id identity) appendReal(b []byte, u *exchange.User) (_ []byte, err error) {
	if u.UID != "" {
		if b, err = upstream.AppendHeader(b, "Impersonate-Uid", u.UID); err != nil {
			return b, err
		}
	}
	for _, g := range u.Groups {
		if g == id.group || g == "" {
			continue
		}
		if b, err = upstream.AppendHeader(b, "Impersonate-Group", g); err != nil {
			return b, err
		}
	}
	for key, values := range u.Extra {
		name := "Impersonate-Extra-" + escapeKey(key)
		for _, v := range values {
			if b, err = upstream.AppendHeader(b, name, v); err != nil {
				return b, err
			}
		}
	}
	return b, nil
}

// escapeKey makes an extra key a header name: bytes that a name cannot have are percent-encoded, which kube-apiserver
// decodes.
func escapeKey(key string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(key))
	for i := range len(key) {
		switch c := key[i]; {
		case c != '%' && httpsyntax.TokenByte[c]:
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}
