// Run is the conformance kit's program: it tries a host, or a guest in a host, over HTTP. It ends with 1 when something
// does not conform.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/posternhq/postern/hostabi/tck"
)

const usage = `Usage:
  run [flags] host         try a host that serves the kit's guests, tck-sync and tck-async
  run [flags] guest PATH   try a module, which answers GET PATH, in its host

Flags:
`

func main() {
	flags := flag.NewFlagSet("run", flag.ExitOnError)
	url := flags.String("url", "http://127.0.0.1:9090", "the host's base `URL`")
	user := flags.String("user", "", "`name:password` for basic authentication")
	listen := flags.String("listen", "127.0.0.1:9700", "`address` for the kit's own backend: the host's backend `tck` leads there")
	output := flags.String("o", "text", "text or json")
	flags.Usage = func() {
		_, _ = fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	_ = flags.Parse(os.Args[1:]) // it exits
	target := tck.Target{URL: *url}
	if name, password, ok := strings.Cut(*user, ":"); ok {
		target.Prepare = func(r *http.Request) { r.SetBasicAuth(name, password) }
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var all []tck.Result
	switch {
	case flags.NArg() == 1 && flags.Arg(0) == "host":
		var err error
		if all, err = host(ctx, target, *listen); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
	case flags.NArg() == 2 && flags.Arg(0) == "guest":
		all = tck.Guest(ctx, target, flags.Arg(1))
	default:
		flags.Usage()
		os.Exit(2)
	}
	if failed := report(all, *output); failed > 0 {
		os.Exit(1)
	}
}

// host runs the kit's backend while the host is tried.
func host(ctx context.Context, target tck.Target, listen string) ([]tck.Result, error) {
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for the guests' calls: %w", err)
	}
	backend := new(tck.Backend)
	server := &http.Server{Handler: backend, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(ln) }() // it ends with Close
	defer func() { _ = server.Close() }()
	return tck.Host(ctx, target, backend), nil
}

// report prints what was tried, failures last, and is their number.
func report(all []tck.Result, output string) (failed int) {
	for _, r := range all {
		if !r.OK {
			failed++
		}
	}
	if output == "json" {
		_ = json.NewEncoder(os.Stdout).Encode(all)
		return failed
	}
	for _, ok := range []bool{true, false} {
		for _, r := range all {
			if r.OK == ok {
				fmt.Println(strings.TrimSpace(map[bool]string{true: "ok  ", false: "FAIL"}[ok] + " " + r.Case + ": " + r.Check + " " + r.Error))
			}
		}
	}
	fmt.Printf("%d checks, %d failed\n", len(all), failed)
	return failed
}
