package main

import "testing"

func TestAlike(t *testing.T) {
	for _, tt := range []struct {
		a, b float64
		want bool
	}{
		{0, 100, false}, // before the first reading
		{100, 100, true},
		{100, 101, true},
		{101, 100, true},
		{100, 102, false},
		{102, 100, false},
	} {
		if got := alike(tt.a, tt.b); got != tt.want {
			t.Errorf("alike(%v, %v) = %v", tt.a, tt.b, got)
		}
	}
}

// What other things take is no game's.
func TestMemoryOfEach(t *testing.T) {
	with, without := memory{anonymous: 1400, heap: 700, stacks: 300}, memory{anonymous: 400, heap: 200, stacks: 100}
	if got, want := with.minus(without, 10), (memory{anonymous: 100, heap: 50, stacks: 20}); got != want {
		t.Errorf("each takes %#v, want %#v", got, want)
	}
}
