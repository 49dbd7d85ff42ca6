package slider

import (
	"image/color"
	"math"
	"math/rand/v2"
)

// A picture has a palette, because its size is then bounded by that of its
// pixels, whatever is drawn: 3 ramps of 17 colours from dark to light, each in 5
// shades. Shades are used all over a picture, so that none gives the hole away.
const (
	ramps  = 3
	levels = 17
)

const (
	lit = iota
	plain
	shadow
	deep
	darkest
	shades
)

// newPalette makes three ramps of different hue.
func newPalette(rng *rand.Rand) []color.RGBA {
	palette := make([]color.RGBA, 0, ramps*levels*shades)
	hue := rng.Float64()
	for ramp := range ramps {
		turn := hue + (float64(ramp)+rng.Float64()*0.6)/ramps
		bend := 0.25 * (rng.Float64() - 0.5) // of the hue along the ramp
		saturation := 0.45 + 0.4*rng.Float64()
		for level := range levels {
			l := float64(level) / (levels - 1)
			r, g, b := rgb(turn+bend*l, saturation*(1-0.35*l), 0.4+0.55*l)
			for _, s := range [shades]struct{ white, light float64 }{lit: {0.75, 1}, plain: {0, 1}, shadow: {0, 0.7}, deep: {0, 0.47}, darkest: {0, 0.33}} {
				palette = append(palette, color.RGBA{
					channel((r + (1-r)*s.white) * s.light),
					channel((g + (1-g)*s.white) * s.light),
					channel((b + (1-b)*s.white) * s.light),
					255,
				})
			}
		}
	}
	return palette
}

// rgb converts from hue, saturation and value.
func rgb(h, s, v float64) (r, g, b float64) {
	part := func(n float64) float64 {
		k := math.Mod(n+6*(h-math.Floor(h)), 6)
		return v - v*s*max(0, min(k, 4-k, 1))
	}
	return part(5), part(3), part(1)
}

func channel(v float64) uint8 { return uint8(255*min(max(v, 0), 1) + 0.5) }
