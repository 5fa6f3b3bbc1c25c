package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/posternhq/postern/bench/stack/build"
	"github.com/posternhq/postern/bench/stack/components"
	"github.com/posternhq/postern/bench/stack/ports"
	"github.com/posternhq/postern/bench/stack/proc"
	"github.com/posternhq/postern/bench/stack/seed"
)

// stack is one running stack.
type stack struct {
	options Options
	env     components.Env
	console *console
	group   *proc.Group
	builder *build.Builder
	portsMu sync.Mutex // guards book: components start at the same time
	book    *ports.Book
	users   []seed.User
	seeder  *seed.Seeder // of our own cluster
	lock    *os.File     // held open: the lock ends with it
	// stopping is closed when the stack begins to stop.
	stopping chan struct{}
}

// Up starts the stack and keeps it running until ctx ends, then stops it; that is no error. It is an error when anything
// cannot be started or ends by itself: the rest is stopped then, there is never half a stack.
func Up(ctx context.Context, options Options) error {
	s, err := prepare(options)
	if err != nil {
		return err
	}
	defer s.lock.Close()
	err = s.run(ctx)
	close(s.stopping)
	stopping := time.Now()
	if stopErr := s.group.Stop(); stopErr != nil {
		s.console.Say("%v", stopErr)
	}
	s.console.Say("stopped, after %s", time.Since(stopping).Round(100*time.Millisecond))
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return nil
	}
	return err
}

// Build builds and fetches everything that Up needs, and starts nothing.
func Build(ctx context.Context, options Options) error {
	if options.Dir == "" { // not that of a stack that may be running
		root, err := findRoot()
		if err != nil {
			return err
		}
		options.Dir = filepath.Join(root, ".postern", "build")
	}
	s, err := prepare(options)
	if err != nil {
		return err
	}
	defer s.lock.Close()
	together, inner := errgroup.WithContext(ctx)
	together.Go(func() error { return s.buildGateway(inner) })
	if options.Kubeconfig == "" {
		together.Go(func() error { return s.builder.Kube(inner) })
		together.Go(func() error {
			_, _, err := s.packages(inner)
			return err
		})
	}
	return errors.Join(together.Wait(), s.group.Stop())
}

// prepare makes folders, ports and users: everything that takes no time.
func prepare(options Options) (*stack, error) {
	if err := options.complete(); err != nil {
		return nil, err
	}
	env := options.env()
	logs := filepath.Join(env.Dir, "logs")
	for _, dir := range []string{env.Bin, env.Dir, logs, filepath.Join(env.Dir, "kubeconfigs"), filepath.Join(env.Dir, "textfile")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("cannot make a folder: %w", err)
		}
	}
	lock, err := lockDir(env.Dir)
	if err != nil {
		return nil, err
	}
	s := &stack{options: options, env: env, lock: lock, console: &console{out: options.Out, start: time.Now()}, stopping: make(chan struct{})}
	s.group = proc.NewGroup(logs)
	s.builder = &build.Builder{Root: env.Root, Bin: env.Bin, Group: s.group, Say: s.console.Say}
	if err := s.reservePorts(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s.users, err = seed.Users(filepath.Join(env.Dir, "users.json"), options.Kubeconfig != "")
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

// lockDir refuses a second stack on the same state.
func lockDir(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot lock %q: %w", dir, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start: another stack runs on %q; stop it, or choose another folder with --dir", dir), file.Close())
	}
	return file, nil
}

// preferred are the ports that people know; all others are whatever is free.
var preferred = map[string]int{
	components.Gateway:      9090, // ks-apiserver's
	components.GatewayTLS:   9443,
	components.GatewayAdmin: 9091,
}

func (s *stack) reservePorts() error {
	book, err := ports.Open(filepath.Join(s.env.Dir, "ports.json"))
	if err != nil {
		return err
	}
	for _, name := range []string{
		components.Gateway, components.GatewayTLS, components.GatewayAdmin,
		components.Etcd, components.APIServer, components.Controllers, components.Scheduler, components.Kwok,
		components.MetricsServer, components.StateMetrics, components.StateMetricsSelf, components.NodeExporter, components.Prometheus,
	} {
		if s.env.Ports[name], err = book.Reserve(name, preferred[name]); err != nil {
			return err
		}
	}
	s.book = book
	return book.Save()
}

// run starts everything in order and then waits for the end.
func (s *stack) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // an end nobody asked for stops whatever is being started
		select {
		case p := <-s.group.Ended():
			cancel(p.Failure())
		case <-ctx.Done():
		}
	}()
	err := s.start(ctx)
	if err == nil {
		<-ctx.Done()
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

func (s *stack) start(ctx context.Context) error {
	steps := s.ownCluster
	if s.options.Kubeconfig != "" {
		steps = s.givenCluster
	}
	if err := steps(ctx); err != nil {
		return err
	}
	together, inner := errgroup.WithContext(ctx)
	together.Go(func() error { return s.startGateway(inner) })
	together.Go(func() error { return s.settled(inner) })
	if err := together.Wait(); err != nil {
		return err
	}
	if err := s.writeReady(); err != nil {
		return err
	}
	s.printUse()
	return nil
}
