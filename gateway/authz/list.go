package authz

import (
	"encoding/json"
	"fmt"

	"github.com/posternhq/postern/gateway/exchange"
)

// everything is the rules of the mode AlwaysAllow.
var everything = []Rule{
	{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}},
	{Verbs: []string{"*"}, NonResourceURLs: []string{"*"}},
}

// Rules lists what a user may do in a namespace: the rules of the platform, of the namespace's workspace, of the namespace
// and of the cluster, in this order, each once. Those for paths are of the platform and the cluster, the only ones that
// count for paths. The open paths are not listed, as kube-apiserver leaves out its own. Of the resources of the platform
// itself (scope Global) the list may say too much: for them only the platform's roles count.
//
// It reads roles' text again, some microseconds for each role: it is for people who ask, not for every request.
func (z *Authorizer) Rules(user *exchange.User, namespace string) []Rule {
	return z.rulesIn(user, Place{Scope: exchange.ScopeNamespace, Namespace: namespace})
}

// rulesIn lists what a user may do in any place.
func (z *Authorizer) rulesIn(user *exchange.User, at Place) []Rule {
	switch {
	case z.mode == AlwaysAllow:
		return everything
	case z.mode == AlwaysDeny || user == nil:
		return nil
	}
	return z.index().rules(user, at)
}

func (ix *Index) rules(user *exchange.User, at Place) []Rule {
	if ix == nil {
		return nil
	}
	l := list{ix: ix, roles: map[listed]bool{}}
	holders := ix.holders(nil, user)
	for _, h := range holders {
		l.add(h.global, true)
	}
	if at.Scope == exchange.ScopeGlobal {
		return l.all
	}
	workspace, namespace := ix.within(at)
	for _, h := range holders {
		l.add(in(h.workspaces, workspace), false)
	}
	for _, h := range holders {
		l.add(in(h.namespaces, namespace), false)
	}
	for _, h := range holders {
		l.add(h.cluster, true)
	}
	return l.all
}

// list collects rules, each once.
type list struct {
	ix    *Index
	all   []Rule
	rules map[string]bool // by their text
	roles map[listed]bool
}

// listed is a role's rules that are in a list, those for paths or not.
type listed struct {
	rules Rules
	paths bool
}

// add adds what g holds. Without paths, rules for paths are left out.
func (l *list) add(g *grants, paths bool) {
	if g == nil {
		return
	}
	for _, role := range l.ix.matchers.get(g.roles).source {
		if l.roles[listed{role.rules, paths}] {
			continue
		}
		l.roles[listed{role.rules, paths}] = true
		for _, r := range role.rules.List() {
			if len(r.Resources) > 0 {
				l.once(Rule{Verbs: r.Verbs, APIGroups: r.APIGroups, Resources: r.Resources, ResourceNames: r.ResourceNames})
			}
			if paths && len(r.NonResourceURLs) > 0 {
				l.once(Rule{Verbs: r.Verbs, NonResourceURLs: r.NonResourceURLs})
			}
		}
	}
}

func (l *list) once(r Rule) {
	text, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("cannot encode a rule: %v", err)) // strings alone always encode
	}
	if l.rules == nil {
		l.rules = map[string]bool{}
	}
	if !l.rules[string(text)] {
		l.rules[string(text)] = true
		l.all = append(l.all, r)
	}
}
