package review

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster answers as its function says.
type cluster struct {
	asked  atomic.Int64
	answer func(ctx context.Context, r *tokenReview) error
}

func (c *cluster) Create(ctx context.Context, path string, object, into any) error {
	c.asked.Add(1)
	answer := into.(*tokenReview)
	*answer = object.(tokenReview)
	if path != "/apis/authentication.k8s.io/v1/tokenreviews" || answer.Kind != "TokenReview" || answer.APIVersion != "authentication.k8s.io/v1" {
		return fmt.Errorf("cannot serve %s %+v", path, answer)
	}
	return c.answer(ctx, answer)
}

// accounts knows tokens that are names.
func accounts(_ context.Context, r *tokenReview) error {
	name, ok := strings.CutPrefix(r.Spec.Token, "good ")
	if !ok {
		r.Status.Error = "invalid bearer token"
		return nil
	}
	r.Status.Authenticated, r.Status.Audiences = true, r.Spec.Audiences
	r.Status.User.Username, r.Status.User.UID = name, "u-1"
	r.Status.User.Groups = []string{"system:serviceaccounts", "system:authenticated"}
	r.Status.User.Extra = map[string][]string{"authentication.kubernetes.io/pod-name": {"p"}}
	return nil
}

func verify(ctx context.Context, r *Reviewer, token string) (*Identity, error) {
	return r.Verify(ctx, sha256.Sum256([]byte(token)), token)
}

func TestVerify(t *testing.T) {
	c := &cluster{answer: accounts}
	r := New(c, []string{"postern"})
	id, err := verify(t.Context(), r, "good system:serviceaccount:ns:builder")
	if err != nil || id.Name != "system:serviceaccount:ns:builder" || id.UID != "u-1" || len(id.Groups) != 2 || len(id.Extra) != 1 {
		t.Errorf("%+v, %v", id, err)
	}
	for _, token := range []string{"rubbish", "good alice"} {
		before := c.asked.Load()
		for range 3 {
			if _, err := verify(t.Context(), r, token); !errors.Is(err, errRefused) {
				t.Errorf("%s: %v", token, err)
			}
		}
		if n := c.asked.Load() - before; n != 1 {
			t.Errorf("%s: asked %d times", token, n)
		}
	}
	c.answer = func(ctx context.Context, r *tokenReview) error {
		err := accounts(ctx, r)
		r.Status.Audiences = []string{"https://kubernetes.default.svc"} // a server that knows no audiences
		return err
	}
	if _, err := verify(t.Context(), r, "good system:serviceaccount:ns:other"); !errors.Is(err, errRefused) {
		t.Errorf("for another audience: %v", err)
	}
}

func TestAServerThatDoesNotAnswer(t *testing.T) {
	c := &cluster{answer: func(context.Context, *tokenReview) error { return errors.New("connection refused") }}
	r := New(c, nil)
	if _, err := verify(t.Context(), r, "good system:serviceaccount:ns:a"); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	c.answer = accounts
	if _, err := verify(t.Context(), r, "good system:serviceaccount:ns:a"); err != nil {
		t.Errorf("a failure is kept: %v", err)
	}
}

func TestQuestionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finish := make(chan struct{})
		c := &cluster{}
		c.answer = func(ctx context.Context, r *tokenReview) error {
			<-finish
			return accounts(ctx, r)
		}
		r := New(c, nil)
		errs := make(chan error, 4*burst)
		for n := range cap(errs) {
			go func() {
				_, err := verify(t.Context(), r, fmt.Sprintf("good system:serviceaccount:ns:%d", n%(2*burst))) // each twice
				errs <- err
			}()
		}
		synctest.Wait()
		if n := c.asked.Load(); n != maxAtOnce {
			t.Errorf("%d questions at once, want %d", n, maxAtOnce)
		}
		close(finish)
		good, busy := 0, 0
		for range cap(errs) {
			switch err := <-errs; {
			case err == nil:
				good++
			case errors.Is(err, ErrBusy):
				busy++
			default:
				t.Error(err)
			}
		}
		if good < burst || busy == 0 || c.asked.Load() > burst {
			t.Errorf("%d good, %d busy, %d asked", good, busy, c.asked.Load())
		}
		time.Sleep(time.Second)
		if _, err := verify(t.Context(), r, "good system:serviceaccount:ns:later"); err != nil {
			t.Errorf("a second later: %v", err)
		}
	})
}
