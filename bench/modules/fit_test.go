package main

import (
	"math"
	"testing"
	"time"
)

func TestSlope(t *testing.T) {
	x := []float64{0, 10, 20, 30}
	for want, y := range map[float64][]float64{0: {5, 5, 5, 5}, 0.5: {1, 6, 11, 16}, -2: {0, -20, -40, -60}} {
		if got := slope(x, y); math.Abs(got-want) > 1e-12 {
			t.Errorf("%v: got %v, want %v", y, got, want)
		}
	}
	if got := slope([]float64{1}, []float64{7}); got != 0 {
		t.Errorf("one point has slope %v", got)
	}
}

func TestQuantile(t *testing.T) {
	times := make([]time.Duration, 100)
	for i := range times {
		times[i] = time.Duration(i)
	}
	for share, want := range map[float64]time.Duration{0: 0, 0.5: 50, 0.99: 99, 1: 99} {
		if got := quantile(times, share); got != want {
			t.Errorf("%v: got %v, want %v", share, got, want)
		}
	}
	if quantile(nil, 0.5) != 0 {
		t.Error("none has a quantile")
	}
}

func TestHighs(t *testing.T) {
	for want, values := range map[int][]float64{
		0: {5, 7, 6, 6, 7, 5, 6, 7}, 1: {5, 7, 6, 6, 9, 9, 9, 9}, 6: {1, 2, 3, 4, 5, 6, 7, 8},
	} {
		if got := highs(values); got != want {
			t.Errorf("%v: got %d, want %d", values, got, want)
		}
	}
}
