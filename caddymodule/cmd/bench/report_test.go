package main

import "testing"

func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		low, high      float64
		within, beyond verdict // of the goal 2
	}{
		{1, 1.5, yes, no},
		{1, 2, yes, unclear},
		{1, 3, unclear, unclear},
		{2, 3, unclear, yes},
		{2.5, 3, no, yes},
		{2, 2, yes, yes},
	} {
		if got := within(2, tt.low, tt.high); got != tt.within {
			t.Errorf("within(2, %v, %v) = %s, want %s", tt.low, tt.high, got, tt.within)
		}
		if got := beyond(2, tt.low, tt.high); got != tt.beyond {
			t.Errorf("beyond(2, %v, %v) = %s, want %s", tt.low, tt.high, got, tt.beyond)
		}
	}
}
