package module

// Spares makes n instances that nobody asks, beside those that serve, and is what ends them: for measurements.
func (g *Generation) Spares(n int) (end func(), err error) {
	var all []*instance
	end = func() {
		for _, i := range all {
			i.free()
		}
	}
	for range n {
		i, err := newInstance(g)
		if err != nil {
			end()
			return nil, err
		}
		all = append(all, i)
	}
	return end, nil
}
