package main

import (
	"math"
	"slices"
)

// quantile returns the value below which the share q of xs lies, interpolated
// between neighbours. xs is not empty.
func quantile(xs []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(xs))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

func median(xs []float64) float64 { return quantile(xs, 0.5) }

// medianInterval returns an interval that holds the median of whatever xs are
// drawn from with at least 95 % confidence. It assumes nothing about their
// distribution: the number of draws below the median is binomial, so the bounds
// are two of the draws. Fewer than six draws cannot say so much; for them it
// returns the smallest and the largest.
func medianInterval(xs []float64) (low, high float64) {
	sorted := slices.Sorted(slices.Values(xs))
	n := len(sorted)
	// k draws are left out on either side while at most 2.5 % is lost there.
	k, tail, term := 0, 0.0, math.Pow(0.5, float64(n))
	for tail += term; tail <= 0.025; tail += term {
		k++
		term *= float64(n-k+1) / float64(k)
	}
	k = max(0, k-1)
	return sorted[k], sorted[n-1-k]
}
