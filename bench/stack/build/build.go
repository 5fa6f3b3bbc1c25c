// Package build makes what the stack runs, when it is missing or out of date, and says what it is doing.
package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/posternhq/postern/bench/stack/proc"
)

// Builder builds into one folder of binaries.
type Builder struct {
	Root  string // of the repository
	Bin   string // where binaries go
	Group *proc.Group
	Say   func(format string, args ...any)
}

// The control plane's compiler flags. It runs demos and tests: compiling it without optimisation takes a fifth less CPU
// than with, 575 instead of 732 s. The standard library keeps its usual flags, so that it is shared with every other
// build of this machine.
var kubeFlags = []string{"-gcflags=all=-N -l -dwarf=false", "-gcflags=std="}

const (
	kubeVersion  = "v1.37.2" // of k8s.io/kubernetes in go.mod; a test compares them
	kubePackages = 2666      // go list -deps ./kube | wc -l, for the progress line
)

// kubeEnv: no cgo, so that no C compiler is needed. Go's compiler with its garbage collection off takes a fifth less CPU (the
// 27 admission plug-ins: 30 instead of 38 s); its largest process then holds 0.8 GB. The limit brings collection back for
// the linker, which would take 4 GB.
var kubeEnv = []string{"CGO_ENABLED=0", "GOGC=off", "GOMEMLIMIT=3GiB"}

// Kube builds the all-in-one control plane, unless the binary there was made from the same sources, versions and flags.
func (b *Builder) Kube(ctx context.Context) error {
	return b.exclusive(ctx, "kube", func() error { return b.kube(ctx) })
}

func (b *Builder) kube(ctx context.Context) error {
	dir := filepath.Join(b.Root, "bench", "stack")
	binary := filepath.Join(b.Bin, "kube")
	sum, err := kubeSum(dir)
	if err != nil {
		return err
	}
	stamp := binary + ".sum"
	if old, err := os.ReadFile(stamp); err == nil && string(old) == sum && executable(binary) {
		return nil
	}
	progress := &counter{}
	stop := b.report(progress)
	args := append([]string{"build", "-v"}, kubeFlags...)
	args = append(args, "-ldflags="+kubeLDFlags(), "-o", binary, "./kube")
	err = b.Group.Run(ctx, proc.Spec{Name: "build-kube", Path: "go", Args: args, Env: append(os.Environ(), kubeEnv...), Dir: dir}, progress)
	stop()
	if err != nil {
		return fmt.Errorf("cannot build the control plane: %w", err)
	}
	if err := b.link("kube", "kubectl"); err != nil {
		return err
	}
	if err := os.WriteFile(stamp, []byte(sum), 0o644); err != nil {
		return fmt.Errorf("cannot note what the control plane was built from: %w", err)
	}
	return nil
}

// kubeLDFlags tell the binary its version, which clients check; without them it calls itself v0.0.0-master.
func kubeLDFlags() string {
	const at = " -X k8s.io/component-base/version."
	return "-s -w" + at + "gitVersion=" + kubeVersion + at + "gitMajor=1" + at + "gitMinor=37"
}

// report says every ten seconds how far the control plane's build is, until the function it returns is called.
func (b *Builder) report(progress *counter) (stop func()) {
	const usual = "about 7 minutes on two idle cores the first time, seconds later"
	b.Say("building the control plane (etcd, Kubernetes %s, kwok, metrics-server): %s", kubeVersion, usual)
	done, ended := make(chan struct{}), make(chan struct{})
	start := time.Now()
	go func() {
		defer close(ended)
		every := time.NewTicker(10 * time.Second)
		defer every.Stop()
		for {
			select {
			case <-done:
				return
			case <-every.C:
				b.Say("building the control plane: %d of %d packages after %s (usually %s)",
					progress.lines.Load(), kubePackages, time.Since(start).Round(time.Second), usual)
			}
		}
	}()
	return func() {
		close(done)
		<-ended
		b.Say("the control plane is built, after %s", time.Since(start).Round(time.Second))
	}
}

// link makes name another name of target, in the folder of binaries.
func (b *Builder) link(target, name string) error {
	path := filepath.Join(b.Bin, name)
	if err := os.RemoveAll(path); err != nil {
		return fmt.Errorf("cannot replace %q: %w", path, err)
	}
	if err := os.Symlink(target, path); err != nil {
		return fmt.Errorf("cannot link %s: %w", name, err)
	}
	return nil
}

// Gateway builds cmd/postern and the modules, and brings the folder modules, which a gateway watches, up to date. The go
// command itself finds out whether there is anything to do (about a second).
func (b *Builder) Gateway(ctx context.Context, modules string) error {
	return b.exclusive(ctx, "postern", func() error {
		if err := b.gateway(ctx); err != nil {
			return err
		}
		return b.modules(ctx, modules)
	})
}

func (b *Builder) gateway(ctx context.Context) error {
	args := []string{"build", "-o", filepath.Join(b.Bin, "postern"), "./cmd/postern"}
	spec := proc.Spec{Name: "build-postern", Path: "go", Args: args, Dir: b.Root}
	if err := b.Group.Run(ctx, spec, io.Discard); err != nil {
		return fmt.Errorf("cannot build the gateway: %w", err)
	}
	return nil
}

// kubeSum is a checksum of all that decides what the control plane's binary is.
func kubeSum(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "kube", "*.go"))
	if err != nil {
		return "", fmt.Errorf("cannot list the control plane's sources: %w", err)
	}
	files = append(files, filepath.Join(dir, "go.mod"), filepath.Join(dir, "go.sum"))
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), kubeFlags, kubeEnv[0], kubeLDFlags())
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("cannot read the control plane's sources: %w", err)
		}
		fmt.Fprintln(sum, filepath.Base(file), len(data))
		sum.Write(data)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}

// counter counts the lines that `go build -v` prints, one a compiled package.
type counter struct{ lines atomic.Int64 }

func (c *counter) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == '\n' {
			c.lines.Add(1)
		}
	}
	return len(p), nil
}
