package stack

import (
	"context"
	"path/filepath"

	"github.com/posternhq/postern/bench/stack/kubeapi"
	"github.com/posternhq/postern/bench/stack/seed"
)

// givenCluster prepares a cluster that is there already: the custom resources, the gateway's bindings and one
// administrator. Nothing of a control plane is built or started.
func (s *stack) givenCluster(ctx context.Context) error {
	s.console.Say("using the cluster of %s: it gets Postern's custom resource definitions, two cluster role bindings and the user %q",
		s.options.Kubeconfig, seed.Admin)
	if err := s.credentials(); err != nil { // the gateway's serving certificate is among them
		return err
	}
	client, err := kubeapi.New(ctx, s.options.Kubeconfig)
	if err != nil {
		return err
	}
	defer client.Close()
	seeder := &seed.Seeder{Client: client, Users: s.users}
	if err := seeder.CRDs(ctx, filepath.Join(s.env.Root, "config", "crds")); err != nil {
		return err
	}
	if err := seeder.Access(ctx); err != nil {
		return err
	}
	return s.buildGateway(ctx)
}
