package config

import "fmt"

// Filter is one use of a filter kind. The order of the list is the order in which filters see a request; answers pass
// them the other way round.
type Filter struct {
	Name     string         `json:"name" doc:"unique; names the filter in metrics, log and explain, and what it counts lasts over reloads by it"`
	Kind     string         `json:"kind" doc:"what it does: see gateway/filter/README.md"`
	Before   string         `json:"before" enum:"authentication,dispatch,answer" doc:"which stage it stands in front of: authentication (nobody is known yet), dispatch (who asks is known), answer (the request is allowed); empty: the kind's own"`
	Match    FilterRules    `json:"match" doc:"which requests it sees; empty: all. Each list that is set must have the request's value"`
	Except   FilterRules    `json:"except" doc:"which of those it does not see; empty: none"`
	Settings map[string]any `json:"settings" doc:"what the kind wants to know"`
}

// FilterRules choose requests. A list that is empty chooses all; in each, * is any value.
type FilterRules struct {
	Paths      []string `json:"paths" doc:"decoded paths: /kapis/* is all below, * as a whole segment is one segment"`
	Methods    []string `json:"methods" doc:"HTTP methods, as GET"`
	Verbs      []string `json:"verbs" doc:"as get, list, watch, create"`
	APIGroups  []string `json:"apiGroups" doc:"API groups; the core group is empty"`
	Resources  []string `json:"resources" doc:"as pods, pods/log"`
	Namespaces []string `json:"namespaces" doc:"namespaces that the path names"`
	Clusters   []string `json:"clusters" doc:"clusters that the path names; the host's own is empty"`
	Users      []string `json:"users" doc:"names of who asks; not before authentication"`
	Groups     []string `json:"groups" doc:"groups, of which the user has one; not before authentication"`
}

// filterConflicts finds filters without a name or a kind, and names that are used twice.
func (c *Config) filterConflicts(fail func(key, message string)) {
	seen := map[string]bool{}
	for i, f := range c.Postern.Filters {
		key := fmt.Sprintf("postern.filters[%d]", i)
		if f.Name == "" || seen[f.Name] {
			fail(key+".name", fmt.Sprintf("want a name that no other filter has, have %q", f.Name))
		}
		if f.Kind == "" {
			fail(key+".kind", "is not set")
		}
		seen[f.Name] = true
	}
}
