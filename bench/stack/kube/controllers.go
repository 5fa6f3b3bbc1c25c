package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/controller-manager/pkg/informerfactory"
)

// manager is what the controllers share: one client, one set of informers, one context.
type manager struct {
	config    *rest.Config
	client    kubernetes.Interface
	metadata  metadata.Interface
	informers informers.SharedInformerFactory
	objects   informerfactory.InformerFactory
	mapper    *restmapper.DeferredDiscoveryRESTMapper
	rootCA    []byte
	started   chan struct{} // closed once the informers run
	workers   sync.WaitGroup
}

// controllers runs the controllers that kubectl users notice when they are missing. The real kube-controller-manager
// brings cloud, volume, certificate and autoscaling code that nothing here uses, and 210 packages more to compile.
func controllers() int {
	flags := flag.NewFlagSet("controllers", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "how to reach kube-apiserver")
	rootCA := flags.String("root-ca-file", "", "certificate that every namespace gets as configmap kube-root-ca.crt")
	listen := flags.String("listen", "127.0.0.1:0", "address of /healthz")
	_ = flags.Parse(os.Args[1:]) // ExitOnError: never returns an error

	ctx := genericapiserver.SetupSignalContext()
	m, err := newManager(*kubeconfig, *rootCA)
	if err != nil {
		return fail(err)
	}
	if err := m.start(ctx); err != nil {
		return fail(err)
	}
	if err := serveHealth(ctx, *listen); err != nil {
		return fail(err)
	}
	m.workers.Wait()
	return 0
}

func newManager(kubeconfig, rootCA string) (*manager, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("cannot read kubeconfig %q: %w", kubeconfig, err)
	}
	// A negative rate switches client-side limiting off; the API server's own fairness stays.
	config.QPS, config.UserAgent = -1, "stack-controllers"
	ca, err := os.ReadFile(rootCA)
	if err != nil {
		return nil, fmt.Errorf("cannot read the root certificate: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("cannot make a client: %w", err)
	}
	meta, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("cannot make a metadata client: %w", err)
	}
	const resync = 12 * time.Hour
	shared := informers.NewSharedInformerFactory(client, resync)
	return &manager{
		config:    config,
		client:    client,
		metadata:  meta,
		informers: shared,
		objects:   informerfactory.NewInformerFactory(shared, metadatainformer.NewSharedInformerFactory(meta, resync)),
		mapper:    restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery())),
		rootCA:    ca,
		started:   make(chan struct{}),
	}, nil
}

// start makes every controller first, so that each has asked for its informers, then starts the informers, then runs them.
func (m *manager) start(ctx context.Context) error {
	var loops []func(context.Context)
	for name, make := range controllerSet {
		loop, err := make(ctx, m)
		if err != nil {
			return fmt.Errorf("cannot make the %s controller: %w", name, err)
		}
		loops = append(loops, loop)
	}
	m.objects.Start(ctx.Done())
	close(m.started)
	for _, loop := range loops {
		m.workers.Go(func() { loop(ctx) })
	}
	return nil
}

// serveHealth answers /healthz as soon as all controllers run, until ctx ends.
func serveHealth(ctx context.Context, address string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return fmt.Errorf("cannot serve health on %q: %w", address, err)
	case <-ctx.Done():
		return server.Close()
	}
}
