package listener

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/httpsyntax"
)

// TLS says where the certificate is. The files are read again when they change, new connections get the new one; while
// they cannot be read or do not fit together, the old one serves on.
type TLS struct {
	CertFile, KeyFile string
	// ClientCAFile has the authorities of client certificates, which are then verified when given; "": not asked for.
	ClientCAFile string
	// Reload is how often the files are looked at: every 10 s by default.
	Reload time.Duration
}

// certificates holds the TLS configuration of new connections.
type certificates struct {
	files   TLS
	log     zerolog.Logger
	current atomic.Pointer[tls.Config]
	read    [][]byte // contents of the files as last tried
	stop    chan struct{}
	stopped chan struct{}
}

// loadCertificates reads the files, and goes on looking at them until close is called.
func loadCertificates(files TLS, log zerolog.Logger) (*certificates, error) {
	c := &certificates{files: files, log: log, stop: make(chan struct{}), stopped: make(chan struct{})}
	if files.Reload <= 0 {
		c.files.Reload = 10 * time.Second
	}
	if _, err := c.load(); err != nil {
		return nil, err
	}
	go c.run()
	return c, nil
}

func (c *certificates) run() {
	defer close(c.stopped)
	tick := time.NewTicker(c.files.Reload)
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
		changed, err := c.load()
		if err != nil {
			c.log.Warn().Err(err).Msg("the old certificate serves on")
		} else if changed {
			c.log.Info().Str("file", c.files.CertFile).Msg("certificate reloaded")
		}
	}
}

func (c *certificates) close() {
	close(c.stop)
	<-c.stopped
}

// load reads the files and takes them over if they differ from what was last tried.
func (c *certificates) load() (changed bool, err error) {
	var read [][]byte
	for _, name := range []string{c.files.CertFile, c.files.KeyFile, c.files.ClientCAFile} {
		var b []byte
		if name != "" {
			if b, err = os.ReadFile(name); err != nil {
				return false, fmt.Errorf("cannot read the TLS files: %w", err)
			}
		}
		read = append(read, b)
	}
	if equalAll(read, c.read) {
		return false, nil
	}
	c.read = read
	config, err := newTLSConfig(read[0], read[1], read[2])
	if err != nil {
		return false, err
	}
	c.current.Store(config)
	return true, nil
}

func equalAll(a, b [][]byte) bool {
	for i := range a {
		if i >= len(b) || !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// newTLSConfig has Go's choice of cipher suites and curves, from TLS 1.2 on, and HTTP/1.1 alone.
func newTLSConfig(cert, key, clientCAs []byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("cannot use the TLS certificate: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if len(clientCAs) > 0 {
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(clientCAs) {
			return nil, errors.New("cannot use the client CA file: no certificate in it")
		}
		config.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return config, nil
}

// Handshake is called by fasthttp before the first read.
func (c *tlsConn) Handshake() error {
	now := time.Now()
	c.sock.waitUntil(now, now.Add(c.srv.opts.HeaderTimeout), true)
	err := c.tls.Handshake()
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) && plain.Conn != nil && httpsyntax.TokenByte[plain.RecordHeader[0]] {
		_, _ = io.Writer(c.sock).Write(refusePlain.answer(c.ids.next()))
		c.phase = isOver
		c.srv.refused(c.RemoteAddr(), refusePlain)
	}
	return err
}

// ConnectionState makes fasthttp take the connection for TLS.
func (c *tlsConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// NetConn is the socket under TLS.
func (c *tlsConn) NetConn() net.Conn { return c.sock }
