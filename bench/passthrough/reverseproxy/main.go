// Command reverseproxy is what Go's standard library gives in few lines: the peer that a gateway written in Go is
// measured against.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address of the proxy")
	upstream := flag.String("upstream", "", "URL of the backend")
	ca := flag.String("ca", "", "PEM file of the backend's certificate authority")
	cert := flag.String("cert", "", "PEM file of a client certificate")
	key := flag.String("key", "", "PEM file of its key")
	flag.Parse()
	target, err := url.Parse(*upstream)
	check(err)
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if *ca != "" {
		pem, err := os.ReadFile(*ca)
		check(err)
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(pem)
	}
	if *cert != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		check(err)
		config.Certificates = []tls.Certificate{pair}
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		// The default of two idle connections for a host would have it connect anew for most requests.
		Transport: &http.Transport{MaxIdleConns: 512, MaxIdleConnsPerHost: 512, TLSClientConfig: config},
	}
	server := &http.Server{Addr: *listen, Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	check(server.ListenAndServe())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
