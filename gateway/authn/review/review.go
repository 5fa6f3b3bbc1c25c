// Package review asks kube-apiserver whose a service account's token is (TokenReview). Only tokens that look like one are
// asked about, each once in a while, and no more at once and a second than kube-apiserver should be asked.
package review

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

const (
	// TTL is how long an answer is good: so long a deleted pod's token may live on.
	TTL         = time.Minute
	refusedTTL  = 10 * time.Second
	timeout     = 5 * time.Second
	maxAtOnce   = 32
	perSecond   = 50
	burst       = 100
	refusedSets = 1024 // answers that a token is not good
)

// Reasons of a refusal.
var (
	// ErrUnavailable says that kube-apiserver cannot be asked now: the token may be good.
	ErrUnavailable = errors.New("kube-apiserver cannot be asked about tokens")
	// ErrBusy says that too many tokens are being asked about.
	ErrBusy = errors.New("too many tokens of service accounts are being checked")

	errRefused = errors.New("kube-apiserver does not know the token")
	errOther   = fmt.Errorf("%w: it is not a service account's", errRefused)
)

// Prefix is what names of service accounts begin with.
const Prefix = "system:serviceaccount:"

// Creator posts an object and reads the answer, as kube.Direct does.
type Creator interface {
	Create(ctx context.Context, path string, object, into any) error
}

// Identity is whose token it is.
type Identity struct {
	Name, UID string
	Groups    []string
	Extra     map[string][]string
}

// Reviewer asks. It is safe for concurrent use.
type Reviewer struct {
	cluster   Creator
	audiences []string
	flight    singleflight.Group
	limit     *rate.Limiter
	slots     chan struct{}
	// refused are tokens that were not good, so that asking again costs nothing. Of two in one slot the later stays.
	refused [refusedSets]atomic.Pointer[refusal]
}

type refusal struct {
	key     [sha256.Size]byte
	expires int64 // Unix nanoseconds
}

// New makes a reviewer. Tokens must be for one of audiences; none: for kube-apiserver.
func New(cluster Creator, audiences []string) *Reviewer {
	return &Reviewer{cluster: cluster, audiences: audiences, limit: rate.NewLimiter(perSecond, burst), slots: make(chan struct{}, maxAtOnce)}
}

// tokenReview is as much of the kind as is sent and read.
type tokenReview struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		Token     string   `json:"token"`
		Audiences []string `json:"audiences,omitempty"`
	} `json:"spec"`
	Status struct {
		Authenticated bool     `json:"authenticated"`
		Audiences     []string `json:"audiences"`
		User          struct {
			Username string              `json:"username"`
			UID      string              `json:"uid"`
			Groups   []string            `json:"groups"`
			Extra    map[string][]string `json:"extra"`
		} `json:"user"`
		Error string `json:"error"`
	} `json:"status"`
}

// Verify says whose token it is; key is its SHA-256. The error is ErrUnavailable or ErrBusy, or wraps it, when that cannot
// be known now.
func (r *Reviewer) Verify(ctx context.Context, key [sha256.Size]byte, token string) (*Identity, error) {
	slot := &r.refused[(uint(key[0])<<8|uint(key[1]))%refusedSets]
	if no := slot.Load(); no != nil && no.key == key && time.Now().UnixNano() < no.expires {
		return nil, errRefused
	}
	answer, err, _ := r.flight.Do(string(key[:]), func() (any, error) {
		// Whoever joins must not fail because the first one has left.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		return r.ask(ctx, token)
	})
	if errors.Is(err, errRefused) {
		slot.Store(&refusal{key, time.Now().Add(refusedTTL).UnixNano()})
	}
	if err != nil {
		return nil, err
	}
	return answer.(*Identity), nil
}

func (r *Reviewer) ask(ctx context.Context, token string) (*Identity, error) {
	if !r.limit.Allow() {
		return nil, ErrBusy
	}
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return nil, ErrBusy
	}
	sent := tokenReview{APIVersion: "authentication.k8s.io/v1", Kind: "TokenReview"}
	sent.Spec.Token, sent.Spec.Audiences = token, r.audiences
	var answer tokenReview
	if err := r.cluster.Create(ctx, "/apis/authentication.k8s.io/v1/tokenreviews", sent, &answer); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	s := answer.Status
	switch {
	case !s.Authenticated:
		return nil, fmt.Errorf("%w: %s", errRefused, s.Error)
	case !strings.HasPrefix(s.User.Username, Prefix):
		return nil, errOther
	case len(r.audiences) > 0 && !slices.ContainsFunc(s.Audiences, func(a string) bool { return slices.Contains(r.audiences, a) }):
		return nil, fmt.Errorf("%w: for another audience", errRefused)
	}
	return &Identity{s.User.Username, s.User.UID, s.User.Groups, s.User.Extra}, nil
}
