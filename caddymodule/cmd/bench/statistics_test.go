package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestQuantile(t *testing.T) {
	for _, tt := range []struct {
		xs   []float64
		q    float64
		want float64
	}{
		{[]float64{7}, 0.5, 7},
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 1, 2, 3}, 0.5, 2.5},
		{[]float64{5, 4, 3, 2, 1}, 0.25, 2},
		{[]float64{1, 2}, 1, 2},
		{[]float64{1, 2}, 0, 1},
	} {
		given := slices.Clone(tt.xs)
		if got := quantile(given, tt.q); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("quantile(%v, %v) = %v, want %v", tt.xs, tt.q, got, tt.want)
		}
		if !slices.Equal(given, tt.xs) {
			t.Errorf("quantile(%v, %v) has changed its argument to %v", tt.xs, tt.q, given)
		}
	}
}

// The bounds of a sign test's interval, from a table of the binomial
// distribution: for 20 draws the 6th and the 15th, for 10 the 2nd and the 9th.
func TestMedianIntervalTable(t *testing.T) {
	for _, tt := range []struct{ n, low, high int }{
		{1, 1, 1}, {2, 1, 2}, {5, 1, 5}, {6, 1, 6}, {8, 1, 8}, {9, 2, 8}, {10, 2, 9}, {20, 6, 15}, {30, 10, 21},
	} {
		xs := make([]float64, tt.n)
		for i := range xs {
			xs[i] = float64(tt.n - i)
		}
		if low, high := medianInterval(xs); low != float64(tt.low) || high != float64(tt.high) {
			t.Errorf("medianInterval(1…%d) = %v…%v, want %d…%d", tt.n, low, high, tt.low, tt.high)
		}
	}
}

// The interval holds the true median as often as it says, on a distribution that
// is as lopsided as timings are.
func TestMedianIntervalCoverage(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const runs = 4000
	held := 0
	for range runs {
		xs := make([]float64, 15)
		for i := range xs {
			xs[i] = random.ExpFloat64()
		}
		if low, high := medianInterval(xs); low <= math.Ln2 && math.Ln2 <= high {
			held++
		}
	}
	if share := float64(held) / runs; share < 0.95 || share > 0.99 {
		t.Errorf("the interval held the median in %.1f %% of %d runs, want 95 to 99 %%", 100*share, runs)
	}
}
