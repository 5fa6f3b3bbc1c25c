package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/filter/kinds"
	"github.com/posternhq/postern/gateway/module/signature"
)

// CheckConfig finds what is wrong with a configuration that only the parts which use it can see: settings of filters, options
// of identity providers. It is config.Options.Check. Nothing is started, no file is written.
func CheckConfig(c *config.Config) (problems []config.Problem) {
	opts := &filter.Options{Kinds: kinds.All, Env: filter.Env{Log: zerolog.Nop()}, Metrics: filter.NewMetrics(prometheus.NewRegistry())}
	for i, spec := range filterSpecs(c) {
		if err := filter.Check(spec, opts); err != nil {
			problems = append(problems, filterProblem(i, err))
		}
	}
	return append(problems, checkIdentities(c)...)
}

// FilterKinds are the kinds of filters for config.Schema.
func FilterKinds() []config.FilterKind {
	all := make([]config.FilterKind, len(kinds.All))
	for i, k := range kinds.All {
		all[i] = config.FilterKind{Name: k.Name, Settings: k.Settings}
	}
	return all
}

// filterProblem places what is wrong with the filter of that index.
func filterProblem(i int, err error) config.Problem {
	p := config.Problem{Key: fmt.Sprintf("postern.filters[%d]", i), Message: err.Error()}
	var wrong *filter.SettingError
	if errors.As(err, &wrong) && wrong.Key != "" {
		p.Key, p.Message = p.Key+"."+wrong.Key, wrong.Err.Error()
	}
	return p
}

// filterSpecs are the filters of c.
func filterSpecs(c *config.Config) []filter.Spec {
	specs := make([]filter.Spec, len(c.Postern.Filters))
	for i, f := range c.Postern.Filters {
		specs[i] = filter.Spec{
			Name: f.Name, Kind: f.Kind, Before: filter.Position(f.Before), Match: filter.Rules(f.Match), Except: filter.Rules(f.Except),
		}
		if f.Settings != nil {
			specs[i].Settings, _ = json.Marshal(f.Settings) // values of YAML always marshal
		}
	}
	return specs
}

// filterSet makes the filters of c; those of the configuration before go on as far as their settings are the same.
func (s *lasting) filterSet(l *longLived, c *config.Config) error {
	opts, made := *l.filters, new(atomic.Bool)
	opts.Env.Trust = func(wasm []byte) error {
		by := s.signers // of the configuration that the filter is made for
		if made.Load() {
			by = l.current.Load().signers // a filter outlives that one, and reads its file again
		}
		return signature.Require(wasm, by.all)
	}
	set, err := filter.New(filterSpecs(c), s.filters, &opts)
	made.Store(true)
	if err == nil {
		s.filters = set
		return nil
	}
	var wrong *filter.SpecError
	if errors.As(err, &wrong) {
		return errors.New(filterProblem(wrong.Index, wrong.Err).String())
	}
	return err
}
