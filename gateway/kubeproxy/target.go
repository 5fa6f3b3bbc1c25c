package kubeproxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"k8s.io/client-go/rest"
)

// target is where kube-apiserver is, as a rest config names it.
type target struct {
	addr   string // host:port
	host   string // as sent
	prefix string // path before every request target, without a slash at its end
	tls    *tls.Config
}

func (t target) String() string {
	if t.tls == nil {
		return "http://" + t.host + t.prefix
	}
	return "https://" + t.host + t.prefix
}

var (
	errScheme = errors.New("the address is neither http nor https")
	errPath   = errors.New("the address has a query or a path that is not plain")
)

// targetOf reads cfg's address: host, host:port or a URL, as client-go does; without a scheme it is https when cfg
// says anything of TLS.
func targetOf(cfg *rest.Config) (target, error) {
	tlsConfig, err := rest.TLSConfigFor(cfg)
	if err != nil {
		return target{}, fmt.Errorf("cannot load TLS settings: %w", err)
	}
	host := cfg.Host
	if host == "" {
		host = "localhost"
	}
	if !strings.Contains(host, "://") {
		scheme := "http://"
		if tlsConfig != nil {
			scheme = "https://"
		}
		host = scheme + host
	}
	u, err := url.Parse(host)
	if err != nil {
		return target{}, err
	}
	t := target{host: u.Host, prefix: strings.TrimRight(u.EscapedPath(), "/")}
	port := "80"
	switch u.Scheme {
	case "http":
	case "https":
		port = "443"
		if t.tls = tlsConfig; t.tls == nil {
			t.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	default:
		return target{}, errScheme
	}
	if u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(t.prefix, " \r\n") {
		return target{}, errPath
	}
	if u.Port() != "" {
		port = u.Port()
	}
	t.addr = net.JoinHostPort(u.Hostname(), port)
	return t, nil
}
