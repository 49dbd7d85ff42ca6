package slider

import (
	"math"
	"math/rand/v2"
)

// A picture is as large as the vendor's.
const (
	width  = 310
	height = 155
)

// scene is a picture without a hole.
type scene struct {
	ramp  [width * height]uint8
	level [width * height]float32 // 0 dark to 1 light
	shade [width * height]uint8
}

// newScene covers a background of soft clouds with shapes, everywhere enough of
// them that no two places look alike.
func newScene(rng *rand.Rand) *scene {
	s := new(scene)
	s.clouds(rng)
	const cell = 31 // as large as the square of a piece: one shape at least falls into each
	var spots [][2]float64
	for y := 0; y < height; y += cell {
		for x := 0; x < width; x += cell {
			spots = append(spots, [2]float64{
				float64(x) + cell*rng.Float64(), float64(y) + cell*rng.Float64(),
			})
		}
	}
	rng.Shuffle(len(spots), func(i, j int) { spots[i], spots[j] = spots[j], spots[i] })
	for i, at := range spots {
		// Large ones first, or they would bury the small.
		s.draw(newShape(rng, at[0], at[1], 20-14*float64(i)/float64(len(spots))))
	}
	s.grain(rng)
	return s
}

// clouds are a gradient with noise of two sizes.
func (s *scene) clouds(rng *rand.Rand) {
	sin, cos := math.Sincos(2 * math.Pi * rng.Float64())
	coarse, fine := newNoise(rng, 48), newNoise(rng, 17)
	for y := range height {
		for x := range width {
			slope := (cos*(float64(x)/width-0.5) + sin*(float64(y)/height-0.5)) / 2
			v := 0.5 + slope + 0.6*(coarse.at(x, y)-0.5) + 0.25*(fine.at(x, y)-0.5)
			s.level[y*width+x] = float32(v)
			s.shade[y*width+x] = plain
		}
	}
}

// grain hides the steps between levels.
func (s *scene) grain(rng *rand.Rand) {
	for i := 0; i < len(s.level); i += 8 {
		bits := rng.Uint64()
		for k := i; k < min(i+8, len(s.level)); k++ {
			s.level[k] += (float32(bits&0xff)/255 - 0.5) / levels
			bits >>= 8
		}
	}
}

// index is the colour of a pixel in another shade than its own.
func (s *scene) index(i int, shade uint8) uint8 {
	level := int(min(max(s.level[i], 0), 1)*(levels-1) + 0.5)
	return (s.ramp[i]*levels+uint8(level))*shades + shade
}

// noise is a lattice of random values, smoothly joined.
type noise struct {
	cell, columns int
	values        []float64
}

func newNoise(rng *rand.Rand, cell int) noise {
	n := noise{cell: cell, columns: width/cell + 2}
	n.values = make([]float64, n.columns*(height/cell+2))
	for i := range n.values {
		n.values[i] = rng.Float64()
	}
	return n
}

func (n *noise) at(x, y int) float64 {
	i := y/n.cell*n.columns + x/n.cell
	u, v := n.ease(x%n.cell), n.ease(y%n.cell)
	above := n.values[i] + u*(n.values[i+1]-n.values[i])
	i += n.columns
	below := n.values[i] + u*(n.values[i+1]-n.values[i])
	return above + v*(below-above)
}

func (n *noise) ease(d int) float64 {
	t := float64(d) / float64(n.cell)
	return t * t * (3 - 2*t)
}

// shape is a disc or a regular polygon, whole or a ring.
type shape struct {
	x, y, radius float64
	normals      [][2]float64 // of a polygon's sides; none for a disc
	ring         float64      // half the width of a ring; 0 if whole
	ramp         uint8
	shade        uint8
	level        float64
	slope        [2]float64 // of the level, across the shape
	stripes      float64    // their frequency, 0 for none
}

func newShape(rng *rand.Rand, x, y, size float64) *shape {
	s := &shape{
		x: x, y: y, radius: size * (0.7 + 0.5*rng.Float64()),
		ramp: uint8(rng.IntN(ramps)), shade: plain, level: 0.15 + 0.7*rng.Float64(),
	}
	turn := 2 * math.Pi * rng.Float64()
	if sides := 2 + rng.IntN(5); sides > 2 {
		for i := range sides {
			sin, cos := math.Sincos(turn + 2*math.Pi*float64(i)/float64(sides))
			s.normals = append(s.normals, [2]float64{cos, sin})
		}
		s.radius *= 0.5 + 0.08*float64(sides) // a triangle reaches twice as far
	}
	switch rng.IntN(7) {
	case 0:
		s.ring = s.radius * (0.12 + 0.15*rng.Float64())
	case 1:
		s.stripes = 0.5 + 0.5*rng.Float64()
	case 2:
		s.shade = deep
	}
	sin, cos := math.Sincos(2 * math.Pi * rng.Float64())
	s.slope = [2]float64{0.3 * cos / s.radius, 0.3 * sin / s.radius}
	return s
}

// distance from the outline, about, and negative inside.
func (s *shape) distance(dx, dy float64) float64 {
	var d float64
	if s.normals == nil {
		d = math.Sqrt(dx*dx+dy*dy) - s.radius
	} else {
		d = -s.radius
		for _, n := range s.normals {
			d = max(d, dx*n[0]+dy*n[1]-s.radius)
		}
	}
	if s.ring > 0 {
		d = math.Abs(d) - s.ring
	}
	return d
}

// reach is how far from its middle a shape may have a point.
func (s *shape) reach() float64 {
	if n := len(s.normals); n > 0 {
		return (s.radius + s.ring) / math.Cos(math.Pi/float64(n))
	}
	return s.radius + s.ring
}

// draw puts a shape over what is there, with a rim of light and a shadow.
func (s *scene) draw(o *shape) {
	const fall = 2.0 // of the shadow, to the right and down
	reach := o.reach() + fall + 1
	for y := max(0, int(o.y-reach)); y < min(height, int(o.y+reach)); y++ {
		for x := max(0, int(o.x-reach)); x < min(width, int(o.x+reach)); x++ {
			i, dx, dy := y*width+x, float64(x)-o.x, float64(y)-o.y
			d := o.distance(dx, dy)
			switch {
			case d < 0:
				level := o.level + dx*o.slope[0] + dy*o.slope[1]
				if o.stripes > 0 {
					level += 0.15 * math.Copysign(1, math.Sin((dx*o.slope[0]+dy*o.slope[1])*o.radius*4*o.stripes))
				}
				s.ramp[i], s.level[i], s.shade[i] = o.ramp, float32(level), o.shade
				if d > -1 && o.distance(dx-1, dy-1) < d {
					s.shade[i] = lit
				}
			case o.distance(dx-fall, dy-fall) < 0 && s.shade[i] < darkest:
				s.shade[i]++
			}
		}
	}
}
