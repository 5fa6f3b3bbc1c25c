package oci

import (
	"time"

	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

// Bounds of what is read and of how long it may take.
const (
	maxModule   = 64 << 20 // bytes of a module, as the runtime has it
	maxManifest = 1 << 20  // bytes of a manifest or a config: real ones have about 1 KiB
	timeout     = 5 * time.Minute
)

// Options say how a registry is reached. The zero value suits public registries and `docker login`.
type Options struct {
	// Username and Password are for the registry of the reference. Empty: DockerConfig is asked.
	Username, Password string
	// DockerConfig is a file as `docker login` writes it. Empty: $DOCKER_CONFIG/config.json, or ~/.docker/config.json. Its
	// credential helpers are run.
	DockerConfig string
	// PlainHTTP speaks HTTP without TLS to the registry. A registry on a loopback address is always spoken to like that,
	// unless there is a CAFile.
	PlainHTTP bool
	// CAFile has PEM certificates of authorities that are trusted for registries, beside the system's.
	CAFile string
	// Timeout bounds the whole of one pull or push. Default 5 minutes.
	Timeout time.Duration
	// Progress is told how many bytes of the module have come or gone. It is called from one goroutine at a time.
	Progress func(done, total int64)
	// Cache is asked for what has a known digest before the registry is, and keeps what was pulled. May be nil.
	Cache *Cache
	// Annotations of the manifest that is pushed, as org.opencontainers.image.version.
	Annotations map[string]string
}

func (o Options) timeout() time.Duration {
	if o.Timeout > 0 {
		return o.Timeout
	}
	return timeout
}

// progress tells how far it is, if anybody wants to know.
func (o Options) progress(done, total int64) {
	if o.Progress != nil {
		o.Progress(done, total)
	}
}

// credential finds what a registry is told of who asks: what was given for host, else what docker knows.
func (o Options) credential(host string) (auth.CredentialFunc, error) {
	if o.Username != "" || o.Password != "" {
		return auth.StaticCredential(host, auth.Credential{Username: o.Username, Password: o.Password}), nil
	}
	var store *credentials.DynamicStore
	var err error
	if o.DockerConfig != "" {
		store, err = credentials.NewStore(o.DockerConfig, credentials.StoreOptions{})
	} else {
		store, err = credentials.NewStoreFromDocker(credentials.StoreOptions{})
	}
	if err != nil {
		return nil, err
	}
	return credentials.Credential(store), nil
}
