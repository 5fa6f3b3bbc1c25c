package fuel

// stepBytes is how much code one step may stand for: 4 KiB, about a microsecond of straight-line guest code.
const stepBytes = 4096

// heavyBytes is how much code a call may run without counting a step.
const heavyBytes = 1024

// steps is the number of steps that n bytes of code count for.
func (m *module) steps(n uint64) int32 {
	return int32(min(1+n/stepBytes, uint64(m.opts.Interval)))
}

// visit is a function on the path of the depth-first search.
type visit struct{ f, site uint32 }

// choose decides which functions count a step at their entry: those that a direct call can reach from themselves, of each
// such cycle at least one; those that call through a table, whatever is in it; and those of which a call would run more
// than heavyBytes of code without counting, because calls multiply: 40 functions that each call the next one twice
// make 2⁴⁰ calls without any cycle.
//
// The cycles are found by a depth-first search: every cycle has an edge to a function that is still on the path.
func (m *module) choose() {
	const white, grey, black = 0, 1, 2
	colour := make([]uint8, len(m.bodies))
	var path []visit
	for root := range m.bodies {
		if colour[root] != white {
			continue
		}
		colour[root] = grey
		path = append(path, visit{uint32(root), m.bodies[root].firstSite})
		for len(path) > 0 {
			top := &path[len(path)-1]
			if top.site == m.lastSite(top.f) {
				colour[top.f] = black
				m.weigh(top.f)
				path = path[:len(path)-1]
				continue
			}
			s := &m.sites[top.site]
			top.site++
			if s.kind != siteCall {
				continue
			}
			callee := s.arg - m.funcImports
			switch colour[callee] {
			case grey:
				m.bodies[callee].checked = true
			case white:
				colour[callee] = grey
				path = append(path, visit{callee, m.bodies[callee].firstSite})
			}
		}
	}
}

func (m *module) lastSite(f uint32) uint32 {
	if int(f)+1 < len(m.bodies) {
		return m.bodies[f+1].firstSite
	}
	return uint32(len(m.sites))
}

// weigh computes the cost of f, all whose callees are known or counted.
func (m *module) weigh(f uint32) {
	b := &m.bodies[f]
	b.cost = uint64(b.end - b.code)
	for _, s := range m.sites[b.firstSite:m.lastSite(f)] {
		if s.kind != siteCall {
			continue
		}
		if callee := &m.bodies[s.arg-m.funcImports]; !callee.checked {
			b.cost += callee.cost // at most heavyBytes
		}
	}
	if b.indirect || b.cost > heavyBytes {
		b.checked = true
	}
}
