package authz

import (
	"math/bits"
	"slices"
	"strings"
)

// attributes is what rules are held against. verb is lower-case.
type attributes struct {
	verb, group, resource, sub, name string
	path                             string // of a request that is about no resource
}

// matcher is the rules of one or more roles, compiled. Rules are numbered through; 64 of them make a block, in which every
// string of every rule leads to the set of rules that name it. A match is then an intersection of four sets, whatever the
// number of strings, and memory is linear in what the roles themselves hold. Matchers are immutable and shared.
type matcher struct {
	blocks []block
	roles  []int    // of each rule: the position of its role among those that were compiled
	source []source // what was compiled
}

// set is up to 64 rules of a block.
type set = uint64

// field is one field of a block's rules: who names a value, and who takes any.
type field struct {
	any   set
	named map[string]set
}

func (f *field) of(value string) set { return f.any | f.named[value] }

func (f *field) add(value string, rule set) {
	if f.named == nil {
		f.named = make(map[string]set)
	}
	f.named[value] |= rule
}

type subresource struct{ resource, sub string }

type block struct {
	verbs, groups, resources field
	names                    field // any: rules without resource names
	subs                     map[subresource]set
	anySub                   field // */sub
	paths                    field // any is the path *
	prefixes                 map[string]set
	lengths                  []int // of prefixes, sorted, without repetition
}

// compile makes the matcher of some roles. The same rules given twice count once.
func compile(roles []source) *matcher {
	m := &matcher{source: roles}
	seen := make(map[Rules]bool, len(roles))
	for position, r := range roles {
		if seen[r.rules] {
			continue
		}
		seen[r.rules] = true
		for _, rule := range r.rules.List() {
			n := len(m.roles) % 64
			if n == 0 {
				m.blocks = append(m.blocks, block{})
			}
			m.blocks[len(m.blocks)-1].add(rule, 1<<n)
			m.roles = append(m.roles, position)
		}
	}
	return m
}

func (b *block) add(r Rule, rule set) {
	addAll(&b.verbs, r.Verbs, rule)
	addAll(&b.groups, r.APIGroups, rule)
	for _, resource := range r.Resources {
		b.addResource(resource, rule)
	}
	for _, name := range r.ResourceNames {
		b.names.add(name, rule)
	}
	if len(r.ResourceNames) == 0 {
		b.names.any |= rule
	}
	for _, path := range r.NonResourceURLs {
		b.addPath(path, rule)
	}
}

// addAll adds values of which * is any.
func addAll(f *field, values []string, rule set) {
	for _, v := range values {
		if v == "*" {
			f.any |= rule
		} else {
			f.add(v, rule)
		}
	}
}

// addResource adds pods, pods/log, */log or *, which includes subresources.
func (b *block) addResource(resource string, rule set) {
	name, sub, isSub := strings.Cut(resource, "/")
	switch {
	case resource == "*":
		b.resources.any |= rule
	case !isSub:
		b.resources.add(name, rule)
	case name == "*":
		b.anySub.add(sub, rule)
	default:
		if b.subs == nil {
			b.subs = make(map[subresource]set)
		}
		b.subs[subresource{name, sub}] |= rule
	}
}

// addPath adds a path, of which a trailing * is any rest.
func (b *block) addPath(path string, rule set) {
	if !strings.HasSuffix(path, "*") {
		b.paths.add(path, rule)
		return
	}
	prefix := strings.TrimRight(path, "*")
	if prefix == "" {
		b.paths.any |= rule
		return
	}
	if b.prefixes == nil {
		b.prefixes = make(map[string]set)
	}
	b.prefixes[prefix] |= rule
	if i, found := slices.BinarySearch(b.lengths, len(prefix)); !found {
		b.lengths = slices.Insert(b.lengths, i, len(prefix))
	}
}

// match is the first role, by position, with a rule that allows a; -1 if there is none.
func (m *matcher) match(a *attributes) int {
	for i := range m.blocks {
		b := &m.blocks[i]
		var hits set
		if a.path != "" {
			hits = b.matchPath(a.path)
		} else {
			hits = b.matchResource(a)
		}
		if hits == 0 {
			continue
		}
		if hits &= b.verbs.of(a.verb); hits != 0 {
			return m.roles[i*64+bits.TrailingZeros64(hits)]
		}
	}
	return -1
}

func (b *block) matchResource(a *attributes) set {
	hits := b.resources.any
	if a.sub == "" {
		hits |= b.resources.named[a.resource]
	} else {
		hits |= b.subs[subresource{a.resource, a.sub}] | b.anySub.named[a.sub]
	}
	if hits == 0 {
		return 0
	}
	if hits &= b.groups.of(a.group); hits == 0 {
		return 0
	}
	return hits & b.names.of(a.name)
}

// matchPath looks up every length at which a prefix may end: at most as many as the path has bytes.
func (b *block) matchPath(path string) set {
	hits := b.paths.of(path)
	for _, n := range b.lengths {
		if n > len(path) {
			break
		}
		hits |= b.prefixes[path[:n]]
	}
	return hits
}
