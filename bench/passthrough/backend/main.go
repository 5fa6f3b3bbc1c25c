// Command backend stands in for kube-apiserver at the least possible cost: it answers one small object, over HTTP and
// over TLS, and lets a gateway list and watch the users and roles that it authorizes by. It prints its two addresses, as
// JSON on one line, and serves until it is ended.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"net"
	"os"
	"time"

	"github.com/valyala/fasthttp"
)

// Addresses are where the backend listens.
type Addresses struct{ HTTP, HTTPS string }

func main() {
	cert := flag.String("cert", "", "PEM file of the serving certificate")
	key := flag.String("key", "", "PEM file of its key")
	flag.Parse()
	server := &fasthttp.Server{
		Handler: serve, Name: "backend", NoDefaultServerHeader: true, ReadTimeout: 5 * time.Minute, WriteTimeout: 10 * time.Minute,
		Concurrency: 4096, MaxRequestBodySize: 1 << 20,
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	check(json.NewEncoder(os.Stdout).Encode(Addresses{plain.Addr().String(), secure.Addr().String()}))
	go func() { check(server.ServeTLS(secure, *cert, *key)) }()
	check(server.Serve(plain))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
