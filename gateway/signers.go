package gateway

import (
	"fmt"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/module/signature"
)

// signers are those who must have signed modules, with their keys as they were when the configuration was read.
type signers struct {
	all  []signature.Signer
	some map[string][]signature.Signer // by module, of those that have their own
}

// readSigners reads the files of keys that c names.
func readSigners(c *config.Config) (*signers, error) {
	s := &signers{some: map[string][]signature.Signer{}}
	var err error
	if s.all, err = signature.ReadSigners(c.Postern.Modules.RequireSignedBy); err != nil {
		return nil, fmt.Errorf("postern.modules.requireSignedBy: %w", err)
	}
	for name, m := range c.Postern.Modules.PerModule {
		if len(m.RequireSignedBy) == 0 {
			continue
		}
		if s.some[name], err = signature.ReadSigners(m.RequireSignedBy); err != nil {
			return nil, fmt.Errorf("postern.modules.perModule.%s.requireSignedBy: %w", name, err)
		}
	}
	return s, nil
}

// of are those who must have signed a module.
func (s *signers) of(name string) []signature.Signer {
	if some := s.some[name]; some != nil {
		return some
	}
	return s.all
}
