package shared

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"k8s.io/client-go/rest"

	"github.com/posternhq/postern/gateway/kube"
	"github.com/posternhq/postern/gateway/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster has one namespace and one Secret at most.
type cluster struct {
	mu        sync.Mutex
	namespace bool
	secret    *secret
	version   int
	down      bool
	writes    int
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	fail := func(code int) { w.WriteHeader(code); fmt.Fprint(w, `{"kind":"Status"}`) }
	var sent secret
	if r.Method != http.MethodGet {
		c.writes++
		if err := json.Unmarshal(body, &sent); err != nil {
			fail(400)
			return
		}
	}
	name := strings.TrimPrefix(r.URL.Path, path("keys"))
	switch {
	case c.down:
		fail(503)
	case r.URL.Path == "/api/v1/namespaces":
		c.namespace = true
		fmt.Fprint(w, "{}")
	case r.Method == http.MethodPost && name == "":
		switch {
		case !c.namespace:
			fail(404)
		case c.secret != nil:
			fail(409)
		default:
			c.store(w, &sent)
		}
	case c.secret == nil || name != "/"+SecretName:
		fail(404)
	case r.Method == http.MethodPatch && sent.Metadata.ResourceVersion != c.secret.Metadata.ResourceVersion:
		fail(409)
	case r.Method == http.MethodPatch:
		c.store(w, &sent)
	default:
		_ = json.NewEncoder(w).Encode(c.secret)
	}
}

func (c *cluster) store(w http.ResponseWriter, s *secret) {
	c.version++
	s.Metadata.ResourceVersion = strconv.Itoa(c.version)
	c.secret = s
	_ = json.NewEncoder(w).Encode(s)
}

func (c *cluster) do(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func direct(t *testing.T, c *cluster) *kube.Direct {
	t.Helper()
	h := httptest.NewServer(c)
	t.Cleanup(h.Close)
	d, err := kube.NewDirect(&rest.Config{Host: h.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// start runs a replica until the test ends.
func start(t *testing.T, d *kube.Direct, s Settings) *Keeper {
	t.Helper()
	k := New(Options{Cluster: d, Namespace: "keys", Log: zerolog.Nop()})
	k.Configure(s)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { k.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return k
}

func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not so: %s", what)
		}
	}
}

func signs(k *Keeper) bool {
	_, err := k.Ring().Keys().Sign(&token.Claims{Kind: token.ID})
	return err == nil
}

func TestReplicasShareWhatTheFirstHasMade(t *testing.T) {
	c := new(cluster)
	d := direct(t, c)
	var all []*Keeper
	for range 3 {
		all = append(all, start(t, d, Settings{}))
	}
	for _, k := range all {
		await(t, "a replica has keys", func() bool { return signs(k) })
	}
	text, err := all[0].Ring().Keys().Sign(&token.Claims{Kind: token.Access, Username: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range append(all, start(t, d, Settings{})) {
		await(t, "a replica has keys", func() bool { return signs(k) })
		if _, err := k.Ring().Keys().Verify(text, token.Access); err != nil {
			t.Error(err)
		}
		if !bytes.Equal(k.Ring().Keys().JWKS(), all[0].Ring().Keys().JWKS()) {
			t.Error("replicas tell different public keys")
		}
	}
}

// Keys of its own would be known to no other replica, and gone with the next start.
func TestWithoutTheClusterThereAreNoKeys(t *testing.T) {
	c := &cluster{down: true}
	k := start(t, direct(t, c), Settings{})
	await(t, "the problem is told", func() bool { return strings.Contains(k.Problem(), "503") })
	if _, err := k.Ring().Keys().Sign(&token.Claims{Kind: token.Access}); !errors.Is(err, token.ErrNoKeys) {
		t.Error(err)
	}
	c.do(func() { c.down = false })
	await(t, "there are keys once the cluster answers", func() bool { return signs(k) && k.Problem() == "" })
	c.do(func() { c.down = true })
	k.Configure(Settings{Keep: time.Hour})
	await(t, "the problem is told again", func() bool { return k.Problem() != "" })
	if !signs(k) {
		t.Error("keys that were read are forgotten")
	}
}

func TestNobodyWritesWhatNobodyNeeds(t *testing.T) {
	c := &cluster{namespace: true}
	b, err := token.NewBundle(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var o token.Options
	if err := b.Fill(&o, time.Now()); err != nil {
		t.Fatal(err)
	}
	k := start(t, direct(t, c), Settings{Token: o, RotateEvery: time.Nanosecond})
	if !signs(k) {
		t.Error("configured keys are not in force at once")
	}
	d := direct(t, &cluster{})
	if none, err := Read(t.Context(), d, "keys"); none != nil || err != nil {
		t.Error(none, err)
	}
	c.do(func() {
		if c.writes != 0 {
			t.Errorf("%d writes", c.writes)
		}
	})
}

func TestRotation(t *testing.T) {
	c := new(cluster)
	d := direct(t, c)
	k := start(t, d, Settings{})
	await(t, "there are keys", func() bool { return signs(k) })
	text, err := k.Ring().Keys().Sign(&token.Claims{Kind: token.Access, Username: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := Rotate(t.Context(), d, "keys", time.Hour); err != nil || len(b.Secrets) != 2 {
		t.Fatalf("%+v, %v", b, err)
	}
	before := k.Ring().Keys()
	k.Configure(Settings{Keep: time.Minute}) // what the clock does twice in a minute
	await(t, "the new keys are read", func() bool { return !k.Ring().Keys().Same(before) })
	if _, err := k.Ring().Keys().Verify(text, token.Access); err != nil {
		t.Error(err)
	}
	k.Configure(Settings{RotateEvery: time.Nanosecond, Keep: time.Hour})
	await(t, "the clock rotates", func() bool {
		b, err := Read(t.Context(), d, "keys")
		return err == nil && len(b.Secrets) > 2
	})
}

func TestARotationThatComesTooLateTakesTheOther(t *testing.T) {
	c := new(cluster)
	d := direct(t, c)
	if _, err := Rotate(t.Context(), d, "keys", 0); err != nil { // makes it
		t.Fatal(err)
	}
	v, err := read(t.Context(), d, "keys")
	if err != nil {
		t.Fatal(err)
	}
	first, err := v.rotate(t.Context(), d, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	second, err := v.rotate(t.Context(), d, time.Hour)
	if err != nil || len(second.Secrets) != 2 || !bytes.Equal(second.Secrets[1].Key, first.Secrets[1].Key) {
		t.Errorf("%v: the other's keys are lost", err)
	}
}

func TestWhatCannotBeReadIsNotReplaced(t *testing.T) {
	c := &cluster{namespace: true, secret: &secret{Data: map[string][]byte{entry: []byte("{}")}}}
	k := start(t, direct(t, c), Settings{})
	await(t, "the problem is told", func() bool { return strings.Contains(k.Problem(), "there are none") })
	c.do(func() {
		if c.writes != 0 {
			t.Errorf("%d writes", c.writes)
		}
	})
}
