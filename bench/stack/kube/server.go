package main

import (
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

// etcdStart is how long etcd may take to open its data: 0.2 s on an idle machine, a second at load 18.
const etcdStart = 60 * time.Second

// server runs etcd and kube-apiserver in this process. Flags after "--" go to kube-apiserver untouched.
func server() int {
	flags := flag.NewFlagSet("server", flag.ExitOnError)
	dir := flags.String("etcd-dir", "", "folder of etcd's data")
	client := flags.String("etcd-url", "http://127.0.0.1:2379", "address etcd listens on; kube-apiserver is pointed at it")
	_ = flags.Parse(os.Args[1:]) // ExitOnError: never returns an error

	etcd, err := startEtcd(*dir, *client)
	if err != nil {
		return fail(err)
	}
	defer etcd.Close()
	command := app.NewAPIServerCommand()
	command.SetArgs(append([]string{"--etcd-servers=" + *client}, flags.Args()...))
	return cli.Run(command)
}

func startEtcd(dir, client string) (*embed.Etcd, error) {
	if dir == "" {
		return nil, errors.New("server needs --etcd-dir")
	}
	address, err := url.Parse(client)
	if err != nil {
		return nil, fmt.Errorf("cannot read --etcd-url %q: %w", client, err)
	}
	// No peer ever connects to a single member; port 0 keeps its listener out of everybody's way.
	peer := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	config := embed.NewConfig()
	config.Dir = dir
	config.LogLevel = "error"
	// The data is a developer's demo: losing the last writes in a power cut is cheaper than an fsync for each.
	config.UnsafeNoFsync = true
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{*address}, []url.URL{*address}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)

	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return nil, fmt.Errorf("cannot start etcd on %q: %w", client, err)
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return etcd, nil
	case <-time.After(etcdStart):
		etcd.Close()
		return nil, fmt.Errorf("cannot start etcd on %q: not ready after %v", client, etcdStart)
	}
}
