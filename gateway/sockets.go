package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/listener"
)

// makeServers makes one server for each public socket.
func (g *Gateway) makeServers(c *config.Config, s *sockets) error {
	l := c.Postern.Limits
	options := listener.Options{
		Serve: g.serve, Logger: g.log, HeaderBytes: int(l.HeaderBytes), HeaderTimeout: l.HeaderReadTimeout,
		IdleTimeout: l.IdleTimeout, MaxConnections: l.MaxConnections, MaxConnectionsPerIP: l.MaxConnectionsPerIP,
	}
	named := map[string]*listener.Server{}
	for _, ln := range s.public() {
		o, name := options, "http"
		if ln == s.https {
			name = "https"
			t := c.Postern.Listen.TLS
			o.TLS = &listener.TLS{CertFile: t.CertFile, KeyFile: t.KeyFile, ClientCAFile: t.ClientCAFile}
		}
		server, err := listener.New(o)
		if err != nil {
			g.shutdown(context.Background()) // those made before hold resources
			return fmt.Errorf("cannot serve on %s: %w", ln.Addr(), err)
		}
		g.servers = append(g.servers, server)
		named[name] = server
	}
	g.named.Store(&named)
	return nil
}

// sockets are the open listeners; nil ones are off.
type sockets struct{ http, https, admin net.Listener }

// listen opens the listeners of a configuration.
func listen(ctx context.Context, c *config.Config) (*sockets, error) {
	s := new(sockets)
	for _, want := range []struct {
		address string
		to      *net.Listener
	}{{c.Postern.Listen.Address, &s.http}, {c.Postern.Listen.TLS.Address, &s.https}, {c.Postern.Admin.Address, &s.admin}} {
		if want.address == "" {
			continue
		}
		ln, err := listener.Listen(ctx, "tcp", want.address)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("cannot listen on %s: %w", want.address, err), s.close())
		}
		*want.to = ln
	}
	return s, nil
}

// public are the listeners that take requests.
func (s *sockets) public() (all []net.Listener) {
	for _, ln := range []net.Listener{s.http, s.https} {
		if ln != nil {
			all = append(all, ln)
		}
	}
	return all
}

func (s *sockets) addresses() Addresses {
	text := func(ln net.Listener) string {
		if ln == nil {
			return ""
		}
		return ln.Addr().String()
	}
	return Addresses{HTTP: text(s.http), HTTPS: text(s.https), Admin: text(s.admin)}
}

func (s *sockets) close() (err error) {
	for _, ln := range []net.Listener{s.http, s.https, s.admin} {
		if ln != nil {
			err = errors.Join(err, ln.Close())
		}
	}
	return err
}
