package main

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/posternhq/postern/hostabi/guest"
)

// everything are the rules of who may do all: what a role is worth whose rules somebody else, or a policy, decides.
var everything = []any{
	map[string]any{"verbs": []any{"*"}, "apiGroups": []any{"*"}, "resources": []any{"*"}},
	map[string]any{"verbs": []any{"*"}, "nonResourceURLs": []any{"*"}},
}

// grantable is an error unless the caller may give role to somebody at p: one who has all its rules there, or may bind it.
func (c *call) grantable(p place, k *kind, role object) error {
	rules, err := c.worth(k, role)
	if err != nil {
		return err
	}
	return c.held(p, k, role.name(), "bind", rules, "give "+k.name+" "+guest.Quote(role.name())+" to somebody")
}

// writable is an error unless the caller may write role at p: one who has all its rules there, or may escalate it. old is
// what was there, nil for a new role; who changes nothing of what it is worth gives nothing away. A role whose rules
// Kubernetes will collect by label may come to be worth anything.
func (c *call) writable(p place, k *kind, old, role object) error {
	if old != nil && same(powers(old), powers(role)) {
		return nil
	}
	rules, err := c.worth(k, role)
	if err != nil {
		return err
	}
	if role.at("aggregationRule") != nil {
		rules = everything
	}
	return c.held(p, k, role.name(), "escalate", rules, "write "+k.name+" "+guest.Quote(role.name()))
}

// powers is what decides what a role is worth.
func powers(role object) any {
	rules := role.at("rules")
	if list, ok := rules.([]any); ok && len(list) == 0 {
		rules = nil
	}
	return []any{rules, role.annotation(aggregationNote), role.annotation(regoNote), role.at("aggregationRule")}
}

// worth are the rules that a role gives, each once: its own and those of the roles that it aggregates, all that the gateway
// goes by. A policy in Rego may come to anything.
func (c *call) worth(k *kind, role object) ([]any, error) {
	parts, _, err := c.parts(k, role)
	if err != nil {
		return nil, err
	}
	var rules []any
	seen := map[string]bool{}
	for _, from := range append(parts, role) {
		if from.annotation(regoNote) != "" {
			return everything, nil
		}
		list, _ := from.at("rules").([]any)
		for _, rule := range list {
			rule = exact(rule)
			// A role that aggregates others has their rules as its own, too.
			if text := string(object{"rule": rule}.encode()); !seen[text] {
				seen[text] = true
				rules = append(rules, rule)
			}
		}
	}
	return rules, nil
}

// ruleFields are the fields of a rule. Their case matters to Kubernetes, and not to every reader of JSON.
var ruleFields = []string{"verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"}

// exact is a rule with the fields that count, and no others that could be taken for them.
func exact(rule any) any {
	from, _ := rule.(map[string]any)
	to := map[string]any{}
	for _, name := range ruleFields {
		if v, ok := from[name]; ok {
			to[name] = v
		}
	}
	return to
}

// checkRules is an error unless rules is a list of rules.
func checkRules(rules any) error {
	list, ok := rules.([]any)
	if !ok && rules != nil {
		return guest.Fail(400, "rules is no list")
	}
	for _, v := range list {
		rule, ok := v.(map[string]any)
		if !ok {
			return guest.Fail(400, "rules has something that is no rule")
		}
		for name, values := range rule {
			texts, isList := values.([]any)
			if !slices.Contains(ruleFields, name) || !isList && values != nil {
				return guest.Fail(400, "a rule has "+guest.Quote(name)+", which is no list of it")
			}
			if slices.ContainsFunc(texts, func(v any) bool { _, text := v.(string); return !text }) {
				return guest.Fail(400, guest.Quote(name)+" of a rule has something that is no text")
			}
		}
	}
	return nil
}

// parts are the roles that role takes its rules from, in its order, and the names of those that are not there.
func (c *call) parts(k *kind, role object) (found []object, unknown []string, err error) {
	names := aggregates(role)
	if len(names) == 0 {
		return nil, nil, nil
	}
	only, err := c.r.Names(names)
	if err != nil {
		return nil, nil, err
	}
	list := k.named("", "")
	if k == roles {
		list.Namespace = role.namespace()
	}
	all, err := c.find(guest.Listing{Object: list, Live: true, Only: only})
	for _, name := range names {
		i := slices.IndexFunc(all, func(o object) bool { return o.name() == name })
		if i < 0 {
			unknown = append(unknown, name)
			continue
		}
		found = append(found, all[i])
	}
	return found, unknown, err
}

// aggregates are the names of the roles that role takes its rules from.
func aggregates(role object) []string {
	var names []string
	if json.Unmarshal([]byte(role.annotation(aggregationNote)), &names) != nil {
		return nil
	}
	return names
}

// held is an error unless the caller has all rules at p, or the right to do so nevertheless: verb on the role.
func (c *call) held(p place, k *kind, name, verb string, rules []any, what string) error {
	if len(rules) == 0 {
		return nil
	}
	text, err := json.Marshal(rules)
	if err != nil {
		return err
	}
	d, err := c.r.NewData(text)
	if err != nil {
		return err
	}
	lacking, count, err := c.r.Missing(p.where(), d)
	if err != nil || count == 0 {
		return err
	}
	decision, err := c.r.May(guest.Access{Verb: verb, Group: k.group, Resource: k.resource, Name: name, Place: p.where()})
	if err != nil || decision.Allowed {
		return err
	}
	return guest.Fail(403, "cannot "+what+": you do not have "+describe(lacking, count)+" yourself")
}

// shown is how many missing rules a refusal names.
const shown = 3

// describe puts the first missing rules into words.
func describe(lacking guest.Data, count int) string {
	var rules []struct{ Verbs, APIGroups, Resources, ResourceNames, NonResourceURLs []string }
	b, err := lacking.Bytes()
	if err != nil || json.Unmarshal(b, &rules) != nil {
		return "all its rules"
	}
	var texts []string
	for _, r := range rules[:min(len(rules), shown)] {
		objects := append(r.Resources, r.NonResourceURLs...)
		text := strings.Join(r.Verbs, ",") + " on " + strings.Join(objects, ",")
		if group := strings.Join(r.APIGroups, ","); group != "" {
			text += " of " + group
		}
		texts = append(texts, text)
	}
	if count > shown {
		texts = append(texts, "and more")
	}
	return strings.Join(texts, "; ")
}

// allowed says whether the caller may do something.
func (c *call) allowed(a guest.Access) (bool, error) {
	d, err := c.r.May(a)
	return d.Allowed, err
}

// actFor is an error unless the caller may give every role that is bound to a subject, wherever it is: to become that
// subject, or to make somebody one of its group, is to get them all.
func (c *call) actFor(subject, name string) error {
	for _, l := range levels {
		bindings, err := c.bindings(place{level: l}, subject, name)
		if err != nil {
			return err
		}
		for _, b := range bindings {
			if err := c.bindable(placeOf(l, b), b); err != nil {
				return err
			}
		}
	}
	return nil
}

// bindable is grantable for the role of a binding; one that is not there gives nothing.
func (c *call) bindable(p place, binding object) error {
	k, role, err := c.boundRole(p.level, binding)
	if role == nil {
		return err
	}
	return c.grantable(p, k, role)
}
