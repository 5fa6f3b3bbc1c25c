package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

//go:embed packages.txt
var packages string

// tools are the programs of others: the load generator and two of the peers.
type tools struct {
	path map[string]string
	env  []string // ours, with the folder of their libraries
}

// findTools finds wrk, nginx and haproxy on this machine, else fetches their Debian packages and unpacks them into dir.
// Installing would start nginx and haproxy as services on ports 80 and others, and needs root; this does neither.
func findTools(ctx context.Context, dir string) (*tools, error) {
	t := &tools{path: map[string]string{}}
	missing := t.look(dir)
	if len(missing) > 0 {
		fmt.Fprintf(os.Stderr, "fetching Debian packages for %s; they are unpacked under %s, not installed\n", strings.Join(missing, ", "), dir)
		if err := fetch(ctx, dir); err != nil {
			return nil, fmt.Errorf("cannot fetch %s (apt-get install wrk nginx haproxy helps, too): %w", strings.Join(missing, ", "), err)
		}
		if missing = t.look(dir); len(missing) > 0 {
			return nil, fmt.Errorf("cannot find %s in the Debian packages", strings.Join(missing, ", "))
		}
	}
	libraries, err := filepath.Glob(filepath.Join(dir, "usr", "lib", "*-linux-*"))
	if err != nil {
		return nil, err
	}
	t.env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libraries, ":"))
	return t, nil
}

// look fills in what is there and says what is missing.
func (t *tools) look(dir string) (missing []string) {
	for _, name := range []string{"wrk", "nginx", "haproxy"} {
		t.path[name] = ""
		for _, folder := range []string{"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", dir + "/usr/bin", dir + "/usr/sbin"} {
			if info, err := os.Stat(filepath.Join(folder, name)); err == nil && info.Mode()&0o111 != 0 {
				t.path[name] = filepath.Join(folder, name)
				break
			}
		}
		if t.path[name] == "" {
			missing = append(missing, name)
		}
	}
	return missing
}

// fetch downloads and unpacks all packages, with apt's own folders below dir, so that it needs no root.
func fetch(ctx context.Context, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for _, folder := range []string{"lists/partial", "cache/archives/partial", "debs"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			return err
		}
	}
	apt := []string{
		"-q", "-o", "Dir::State::Lists=" + filepath.Join(dir, "lists"), "-o", "Dir::Cache=" + filepath.Join(dir, "cache"),
		"-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=",
	}
	debs := filepath.Join(dir, "debs")
	if err := command(ctx, debs, "apt-get", append(apt, "update")...); err != nil {
		return err
	}
	if err := command(ctx, debs, "apt-get", append(append(apt, "download"), strings.Fields(packages)...)...); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := command(ctx, debs, "dpkg-deb", "-x", file, dir); err != nil {
			return err
		}
	}
	return nil
}

func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("cannot run %s: %w", name, err), errors.New(string(out)))
	}
	return nil
}

var versionNumber = regexp.MustCompile(`\d+\.\d+(?:\.\d+)?`)

// version is what a program says of itself.
func (t *tools) version(ctx context.Context, name string) string {
	cmd := exec.CommandContext(ctx, t.path[name], "-v")
	cmd.Env = t.env
	out, _ := cmd.CombinedOutput() // wrk -v prints its version and fails
	return string(versionNumber.Find(out))
}

// versions are those of all tools, by name.
func (t *tools) versions(ctx context.Context) map[string]string {
	all := map[string]string{}
	for name := range t.path {
		all[name] = t.version(ctx, name)
	}
	return all
}
