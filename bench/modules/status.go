package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// status is what the admin listener says of one module, as far as it is used here.
type status struct {
	File, Name, Version, Digest, Error, State string
}

// status asks the admin listener how the modules do.
func (g *gateway) status(ctx context.Context) (all []status, err error) {
	_, body, err := g.get(ctx, g.admin+"/modules")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		return nil, fmt.Errorf("cannot read the status of modules: %w in %.200q", err, body)
	}
	return all, nil
}

// version waits until a file serves in a version, and says how long that took.
func (g *gateway) version(ctx context.Context, file, version string) (time.Duration, error) {
	return g.await(ctx, g.admin+"/modules", 10*time.Millisecond, func(_ int, body string) bool {
		var all []status
		_ = json.Unmarshal([]byte(body), &all) // what cannot be read does not serve
		return slices.ContainsFunc(all, func(s status) bool { return s.File == file && s.Version == version && s.Error == "" })
	})
}

// metric is the value of a metric without labels.
func (g *gateway) metric(ctx context.Context, name string) (float64, error) {
	_, body, err := g.get(ctx, g.admin+"/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(body) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}

// serves is an error unless n modules serve, and none is in error.
func (g *gateway) serves(ctx context.Context, n int) error {
	all, err := g.status(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Error != "" || s.Digest == "" {
			return fmt.Errorf("%s does not serve: %s", s.File, s.Error)
		}
	}
	if len(all) != n {
		return fmt.Errorf("%d modules serve, want %d", len(all), n)
	}
	return nil
}
