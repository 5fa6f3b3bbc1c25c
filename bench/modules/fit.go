package main

import "slices"

// slope is that of the line with the least squares through points; 0 of fewer than two.
func slope(x, y []float64) float64 {
	n := float64(len(x))
	var sx, sy, sxx, sxy float64
	for i := range x {
		sx, sy, sxx, sxy = sx+x[i], sy+y[i], sxx+x[i]*x[i], sxy+x[i]*y[i]
	}
	d := n*sxx - sx*sx
	if d == 0 {
		return 0
	}
	return (n*sxy - sx*sy) / d
}

// median is the middle value, the upper one of an even number.
func median(values []float64) float64 { return slices.Sorted(slices.Values(values))[len(values)/2] }

// highs is how often values behind the first quarter are above all before them: what leaks has a new high in every sample, what
// takes a larger piece of address space at some time has one.
func highs(values []float64) (n int) {
	first := len(values) / 4
	most := slices.Max(values[:max(first, 1)])
	for _, v := range values[first:] {
		if v > most {
			n, most = n+1, v
		}
	}
	return n
}
