package authn

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/posternhq/postern/gateway/authn/oidc"
	"github.com/posternhq/postern/gateway/authn/review"
	"github.com/posternhq/postern/gateway/exchange"
)

// foreignTTL is how long a token of an issuer is not verified again: so long a key that the issuer has withdrawn is still
// good.
const foreignTTL = 10 * time.Minute

// hint is what a token says before anybody has vouched for it: good for choosing whom to ask, and for nothing else.
type hint struct {
	Issuer  string  `json:"iss"`
	Subject string  `json:"sub"`
	Expiry  float64 `json:"exp"`
}

// peek reads the middle of a JWT; what is none says nothing.
func peek(text string) (h hint) {
	_, rest, _ := strings.Cut(text, ".")
	middle, _, _ := strings.Cut(rest, ".")
	payload, err := base64.RawURLEncoding.DecodeString(middle)
	if err != nil || json.Unmarshal(payload, &h) != nil {
		return hint{}
	}
	return h
}

func verifyIssuer(ctx context.Context, issuer *oidc.Issuer, key [sha256.Size]byte, text string) (*entry, error) {
	id, err := issuer.Verify(ctx, text)
	if err != nil {
		return nil, err
	}
	return &entry{
		key: key, expires: min(id.Expires.UnixNano(), time.Now().Add(foreignTTL).UnixNano()), by: issuer, method: OIDC,
		name: id.Name, uid: id.UID, groups: id.Groups, issued: id.Issued,
	}, nil
}

func verifyServiceAccount(ctx context.Context, r *review.Reviewer, key [sha256.Size]byte, text string, h hint) (*entry, error) {
	id, err := r.Verify(ctx, key, text)
	if err != nil {
		return nil, err
	}
	e := &entry{
		key: key, expires: time.Now().Add(review.TTL).UnixNano(), by: r, method: ServiceAccount,
		name: id.Name, uid: id.UID, groups: id.Groups, extra: id.Extra,
	}
	if h.Expiry > 0 && h.Expiry < float64(e.expires)/float64(time.Second) { // by now it is known to be true
		e.expires = int64(h.Expiry * float64(time.Second))
	}
	return e, nil
}

// foreign is a user who has no account here. Groups of Kubernetes itself come from kube-apiserver alone.
func (s *Stage) foreign(e *entry) *exchange.User {
	groups := make([]string, 0, len(e.groups)+1)
	for _, g := range e.groups {
		if s.mayHave(g) || e.method == ServiceAccount && !slices.Contains(s.o.ReservedGroups, g) {
			groups = append(groups, g)
		}
	}
	if !slices.Contains(groups, authenticated) {
		groups = append(groups, authenticated)
	}
	return &exchange.User{Name: e.name, UID: e.uid, Groups: groups, Extra: e.extra, Method: e.method}
}
