package authz

import "encoding/binary"

// source is what a role allows, for a matcher.
type source struct {
	rules   Rules
	missing bool // there is no such role
	policy  bool // it has a Rego policy, which is not evaluated
}

// matchers are those in use: the same lists of rules are compiled once.
type matchers struct {
	byKey   map[string]*compiled
	numbers map[source]*numbered
	ids     ids
}

// compiled is a matcher and how many lists of roles have it.
type compiled struct {
	m    *matcher
	key  string
	refs int
}

type numbered struct {
	id   uint32
	refs int
}

func newMatchers() matchers {
	return matchers{byKey: map[string]*compiled{}, numbers: map[source]*numbered{}}
}

func (m *matchers) acquire(roles []source) *compiled {
	key := make([]byte, 0, 64)
	for _, r := range roles {
		n := m.numbers[r]
		if n == nil {
			n = &numbered{id: m.ids.take()}
			m.numbers[r] = n
		}
		n.refs++
		key = binary.LittleEndian.AppendUint32(key, n.id)
	}
	c := m.byKey[string(key)]
	if c == nil {
		c = &compiled{m: compile(roles), key: string(key)}
		m.byKey[c.key] = c
	}
	c.refs++
	return c
}

// release undoes acquire.
func (m *matchers) release(c *compiled) {
	for _, r := range c.m.source {
		n := m.numbers[r]
		if n.refs--; n.refs == 0 {
			delete(m.numbers, r)
			m.ids.give(n.id)
		}
	}
	if c.refs--; c.refs == 0 {
		delete(m.byKey, c.key)
	}
}
