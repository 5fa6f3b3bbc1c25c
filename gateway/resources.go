package gateway

import (
	"fmt"
	"os"

	"github.com/rs/zerolog"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/module/oci"
	"github.com/posternhq/postern/gateway/module/resource"
)

// followResources makes the source of what Module resources want. What is pulled is kept, so that a restart needs no registry.
// How registries are reached is what the configuration said at the start.
func followResources(l *longLived, c *config.Config, kept *oci.Cache, log zerolog.Logger) (*resource.Source, error) {
	name, err := replica(c.Postern.Modules.Resources.Replica)
	if err != nil {
		return nil, err
	}
	pull := registries(c.Postern.Modules.Registry)
	pull.Cache = kept
	return resource.New(resource.Options{Config: l.cluster, Manager: l.modules, Replica: name, Pull: pull, Log: log})
}

// replica is this gateway's name among those of the cluster.
func replica(configured string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	if pod := os.Getenv("POD_NAME"); pod != "" {
		return pod, nil
	}
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("cannot find this machine's name: set postern.modules.resources.replica: %w", err)
	}
	return name, nil
}
