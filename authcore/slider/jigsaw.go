package slider

import (
	"math"
	"math/rand/v2"
)

// A piece is a square with a knob or a notch in each side: with knobs of 8, the
// 31 of the square make the 47 across.
const (
	pieceWidth = 47
	bodySize   = 31
	knobRoom   = (pieceWidth - bodySize) / 2
	knobRadius = 5
	knobOffset = 2.5 // of the knob's middle from the side
	corner     = 2.5
)

// jigsaw is the outline of a piece, in the coordinates of its window.
type jigsaw struct {
	top   float64    // of the square
	sides [4]float64 // +1 knob, -1 notch, 0 straight: left, right, top, bottom
}

// newJigsaw makes an outline at random, with two knobs or notches at least: a
// bare square is hard to see.
func newJigsaw(rng *rand.Rand) jigsaw {
	j := jigsaw{top: float64(knobRoom + 2 + rng.IntN(height-bodySize-2*knobRoom-3))}
	bare := 0
	for i := range j.sides {
		j.sides[i] = float64(1 - 2*rng.IntN(2))
		if bare < 2 && rng.IntN(4) == 0 {
			j.sides[i] = 0
			bare++
		}
	}
	return j
}

// distance of a point from the outline, negative inside.
func (j *jigsaw) distance(x, y float64) float64 {
	const half = bodySize / 2.0
	x, y = x-knobRoom-half, y-j.top-half
	dx, dy := math.Abs(x)-half+corner, math.Abs(y)-half+corner
	d := math.Hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - corner
	for i, middle := range [4][2]float64{{-1, 0}, {1, 0}, {0, -1}, {0, 1}} {
		if j.sides[i] == 0 {
			continue
		}
		out := half + j.sides[i]*knobOffset
		knob := math.Hypot(x-middle[0]*out, y-middle[1]*out) - knobRadius
		if j.sides[i] > 0 {
			d = min(d, knob)
		} else {
			d = max(d, -knob)
		}
	}
	return d
}
