package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/posternhq/postern/bench/stack/proc"
)

// Debian finds the program called command, from the PATH's usual folders or from the Debian package that has it. A package
// is fetched and unpacked into a folder of ours: nothing is installed, no daemon is started, no root is needed.
func (b *Builder) Debian(ctx context.Context, dir, pkg, command string) (path string, err error) {
	err = b.exclusive(ctx, "apt", func() error {
		path, err = b.debian(ctx, dir, pkg, command)
		return err
	})
	return path, err
}

func (b *Builder) debian(ctx context.Context, dir, pkg, command string) (string, error) {
	for _, folder := range []string{"/usr/bin", "/usr/local/bin", filepath.Join(dir, pkg, "usr", "bin")} {
		if path := filepath.Join(folder, command); executable(path) {
			return path, nil
		}
	}
	b.Say("fetching the Debian package %s, for metrics; it is unpacked under %s, not installed", pkg, dir)
	if err := b.download(ctx, dir, func() ([]string, error) { return []string{pkg}, nil }); err != nil {
		return "", fmt.Errorf("cannot fetch the Debian package %q: %w", pkg, err)
	}
	file, err := packageFile(dir, pkg)
	if err != nil {
		return "", err
	}
	if err := b.unpack(ctx, filepath.Join(dir, pkg), file); err != nil {
		return "", fmt.Errorf("cannot unpack the Debian package %q: %w", pkg, err)
	}
	path := filepath.Join(dir, pkg, "usr", "bin", command)
	if !executable(path) {
		return "", fmt.Errorf("cannot find %q in the Debian package %q", command, pkg)
	}
	return path, nil
}

// download fetches the packages that list names into the folder packages of dir. When list or download fail, apt's own
// lists are fetched first: they may be missing, or older than the mirror.
func (b *Builder) download(ctx context.Context, dir string, list func() ([]string, error)) error {
	apt, err := aptFolders(dir)
	if err != nil {
		return err
	}
	fetch := func() error {
		packages, err := list()
		if err != nil {
			return err
		}
		args := append(append(apt, "download"), packages...)
		spec := proc.Spec{Name: "apt-" + packages[0], Path: "apt-get", Args: args, Dir: filepath.Join(dir, "packages")}
		return b.Group.Run(ctx, spec, io.Discard)
	}
	if fetch() == nil {
		return nil
	}
	update := proc.Spec{Name: "apt-update", Path: "apt-get", Args: append(apt, "update"), Dir: dir}
	if err := b.Group.Run(ctx, update, io.Discard); err != nil {
		return fmt.Errorf("cannot fetch apt's list of packages: %w", err)
	}
	return fetch()
}

// packageFile is the file of a package that was fetched into dir; the newest, if there are several versions.
func packageFile(dir, pkg string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "packages", pkg+"_*.deb"))
	if err != nil || len(files) == 0 {
		return "", fmt.Errorf("cannot find the fetched Debian package %q (%v)", pkg, err)
	}
	newest := slices.MaxFunc(files, func(a, b string) int { return modified(a).Compare(modified(b)) })
	return newest, nil
}

func modified(file string) time.Time {
	info, err := os.Stat(file)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// unpack puts the content of package files into folder in one step: an interrupted run must leave no half program.
func (b *Builder) unpack(ctx context.Context, folder string, files ...string) error {
	temporary := folder + ".tmp"
	if err := errors.Join(os.RemoveAll(temporary), os.RemoveAll(folder)); err != nil {
		return err
	}
	for _, file := range files {
		spec := proc.Spec{Name: "dpkg-" + filepath.Base(folder), Path: "dpkg-deb", Args: []string{"-x", file, temporary}}
		if err := b.Group.Run(ctx, spec, io.Discard); err != nil {
			return err
		}
	}
	return os.Rename(temporary, folder)
}

// aptFolders makes apt's folders below dir and gives the options that point apt at them, so that it needs no root.
func aptFolders(dir string) ([]string, error) {
	for _, folder := range []string{"lists/partial", "cache/archives/partial", "packages"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			return nil, fmt.Errorf("cannot make apt's folder: %w", err)
		}
	}
	return []string{
		"-q", "-o", "Dir::State::Lists=" + filepath.Join(dir, "lists"), "-o", "Dir::Cache=" + filepath.Join(dir, "cache"),
		"-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=", // as whoever we are: our folders may be closed to user _apt
		"-o", "Dir::State::status=/dev/null", // what is installed here, perhaps from elsewhere, does not matter
	}, nil
}
