package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/oci"
)

// Variables that registries' credentials may come from. They do not begin as those of the configuration do.
const (
	envUsername = "POSTERN_REGISTRY_USERNAME"
	envPassword = "POSTERN_REGISTRY_PASSWORD"
)

// registryHelp is what push and pull say of references and credentials.
const registryHelp = "A reference is oci://HOST/REPOSITORY:TAG, oci://HOST/REPOSITORY@sha256:…, or oci-layout://PATH:TAG for an OCI\n" +
	"image-layout folder. Credentials are those of --username or $" + envUsername + " and $" + envPassword + ",\n" +
	"else those that `docker login` has stored."

// registryFlags say how registries are reached.
type registryFlags struct {
	options       oci.Options
	passwordStdin bool
}

func bindRegistry(command *cobra.Command) *registryFlags {
	f := new(registryFlags)
	flags := command.Flags()
	flags.StringVar(&f.options.Username, "username", "", "user name at the registry (default: $"+envUsername+")")
	flags.BoolVar(&f.passwordStdin, "password-stdin", false, "read the password, or token, from standard input (default: $"+envPassword+")")
	flags.StringVar(&f.options.DockerConfig, "registry-config", "", "docker config.json with credentials (default: docker's own)")
	flags.StringVar(&f.options.CAFile, "ca-file", "", "PEM file of authorities to trust beside the system's")
	flags.BoolVar(&f.options.PlainHTTP, "plain-http", false, "speak HTTP without TLS; loopback addresses are always spoken to like that")
	flags.DurationVar(&f.options.Timeout, "timeout", 5*time.Minute, "give up one push or pull after this time")
	return f
}

// read completes the options: credentials, and progress on a terminal under a label.
func (f *registryFlags) read(command *cobra.Command, label string) (oci.Options, error) {
	o := f.options
	if o.Timeout <= 0 {
		return o, fmt.Errorf("--timeout must be positive, not %v", o.Timeout)
	}
	if o.Username == "" {
		o.Username = os.Getenv(envUsername)
	}
	o.Password = os.Getenv(envPassword)
	if f.passwordStdin {
		line, err := bufio.NewReader(io.LimitReader(command.InOrStdin(), 64<<10)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return o, failure{fmt.Errorf("cannot read the password: %w", err)}
		}
		o.Password = strings.TrimRight(line, "\r\n")
		f.options.Password = o.Password
	}
	if f.options.Password != "" {
		o.Password = f.options.Password // read before: standard input is at its end
	}
	if (o.Username == "") != (o.Password == "") {
		return o, errors.New("want a user name and a password, or neither")
	}
	o.Progress = progressBar(command.ErrOrStderr(), label)
	return o, nil
}

// artifactCache is the cache of pulled modules, which gateways of the same user share; nil when there cannot be one, for
// a pull does without.
func artifactCache() *oci.Cache {
	base, err := os.UserCacheDir()
	if err != nil {
		return nil
	}
	cache, err := oci.OpenCache(filepath.Join(base, "postern", "artifacts"), 0)
	if err != nil {
		return nil
	}
	return cache
}

// readModule reads a file of a module's size at most.
func readModule(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the module: %w", err)
	}
	defer func() { _ = f.Close() }()
	wasm, err := io.ReadAll(io.LimitReader(f, module.MaxSize+1))
	if err == nil && len(wasm) > module.MaxSize {
		err = fmt.Errorf("%q has more than %d bytes", path, module.MaxSize)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the module: %w", err)
	}
	return wasm, nil
}
