package main

import "testing"

// Every session gets its turn before one gets its second.
func TestSpread(t *testing.T) {
	for _, n := range []int{1, 100, 6_666, sessionsInUse} {
		seen := make([]bool, n)
		for i := range n {
			at := spread(i+3*n, n)
			if seen[at] {
				t.Fatalf("spread(%d, %d) = %d, which came before", i+3*n, n, at)
			}
			seen[at] = true
		}
	}
}
