package kubeproxy

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"

	"github.com/posternhq/postern/gateway/upstream"
)

var errPlugin = errors.New("credentials of exec or auth-provider plug-ins are not supported: use a token, a token file or a certificate")

// credentials make the gateway's Authorization header.
type credentials struct {
	kind string // for people: certificate, token, token file, basic, none
	file string // "" unless the token is in a file
	line atomic.Pointer[[]byte]

	mu     sync.Mutex // held while the file is read; others go on with the old token
	read   atomic.Int64
	doubts atomic.Bool // kube-apiserver has answered 401
}

func newCredentials(cfg *rest.Config) (*credentials, error) {
	c := &credentials{kind: "none", file: cfg.BearerTokenFile}
	var err error
	switch {
	case cfg.ExecProvider != nil || cfg.AuthProvider != nil:
		return nil, errPlugin
	case cfg.BearerTokenFile != "":
		c.kind = "token file"
		err = c.load(time.Now())
	case cfg.BearerToken != "":
		c.kind = "token"
		err = c.set("Bearer " + cfg.BearerToken)
	case cfg.Username != "" || cfg.Password != "":
		c.kind = "basic"
		err = c.set("Basic " + base64.StdEncoding.EncodeToString([]byte(cfg.Username+":"+cfg.Password)))
	case cfg.CertFile != "" || len(cfg.CertData) > 0:
		c.kind = "certificate"
	}
	return c, err
}

func (c *credentials) set(value string) error {
	line, err := upstream.AppendHeader(nil, "Authorization", value)
	if err != nil {
		return errors.New("the credential cannot be sent as a header") // without quoting it
	}
	c.line.Store(&line)
	return nil
}

// load reads the token file.
func (c *credentials) load(now time.Time) error {
	c.read.Store(now.UnixNano())
	token, err := os.ReadFile(c.file)
	if err != nil {
		return fmt.Errorf("cannot read token: %w", err)
	}
	if token = bytes.TrimSpace(token); len(token) == 0 {
		return fmt.Errorf("cannot use token file %q: it is empty", c.file)
	}
	return c.set("Bearer " + string(token))
}

// header is the header line to send; empty without one. A token file is read again when the token is a minute old, or
// a second after it has been refused. When the file cannot be read, the last token serves on: it may still be good.
func (c *credentials) header(now time.Time) []byte {
	if c.file != "" {
		age := time.Duration(now.UnixNano() - c.read.Load())
		if (age > reread || c.doubts.Load() && age > time.Second) && c.mu.TryLock() {
			c.doubts.Store(false)
			_ = c.load(now)
			c.mu.Unlock()
		}
	}
	if l := c.line.Load(); l != nil {
		return *l
	}
	return nil
}

// suspect notes a 401, which says that the token may have been replaced before its time.
func (c *credentials) suspect() { c.doubts.Store(true) }
