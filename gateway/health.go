package gateway

import (
	"errors"
	"fmt"
	"strings"

	"github.com/posternhq/postern/gateway/admin"
)

// live are the checks of /livez: that it answers is all that a restart could mend.
func (g *Gateway) live() []admin.Check {
	return []admin.Check{{Name: "ping", Test: func() error { return nil }}}
}

// readiness are the checks of /readyz: whether requests should come here.
func (g *Gateway) readiness() []admin.Check {
	return []admin.Check{
		{Name: "ping", Test: func() error { return nil }},
		{Name: "drain", Test: func() error {
			if g.draining.Load() {
				return errors.New("shutting down")
			}
			return nil
		}},
		// Without keys nobody logs in; certificates, and reading without credentials, go on.
		{Name: "keys", Test: func() error { return nil }, Note: g.long.keys.Problem},
		{Name: "issuers", Test: func() error { return nil }, Note: g.long.issuersNote},
		{Name: "users-and-roles", Test: g.long.platform.Synced},
		{Name: "sessions", Test: g.long.sessions.Ready, Note: g.long.sessions.Note},
		{Name: "modules", Test: g.modulesRead, Note: g.modulesNote},
		// A configuration that could not be read leaves the one before serving well: it is said, but fails nothing.
		{Name: "config", Test: func() error { return nil }, Note: g.configNote},
	}
}

// ready is the first reason not to send requests here.
func (g *Gateway) ready() error {
	for _, c := range g.readiness() {
		if err := c.Test(); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return nil
}

func (g *Gateway) modulesRead() error {
	select {
	case <-g.long.modules.Ready():
		return nil
	default:
		return errors.New("the folder of modules has not been read yet")
	}
}

// modulesNote names what does not serve as its file, or the list of what to pull, says.
func (g *Gateway) modulesNote() string {
	var notes []string
	if err := g.long.modules.HistoryProblem(); err != nil {
		notes = append(notes, err.Error())
	}
	notes = append(notes, *g.long.puller.missing.Load()...)
	for _, m := range g.long.modules.Status() {
		if m.Error != "" {
			first, _, _ := strings.Cut(m.Error, "\n")
			notes = append(notes, m.File+": "+first)
		}
	}
	return strings.Join(notes, "; ")
}

// configNote says when the file is not what serves.
func (g *Gateway) configNote() string {
	if g.opts.Reload == nil {
		return ""
	}
	if s := g.opts.Reload(); !s.OK {
		return "the last reload failed, the configuration before it serves: " + s.String()
	}
	return ""
}
