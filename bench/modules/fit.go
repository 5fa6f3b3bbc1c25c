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
