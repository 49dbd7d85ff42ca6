package slider

import (
	"bytes"
	crand "crypto/rand"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"sync"
)

// The hole is far enough from the left edge that the piece has a way to go.
const (
	minX = 70
	maxX = 255
)

// draw makes a puzzle, in a few milliseconds. Each has a generator of its own:
// nothing that is seen of one says anything about another.
func draw() *Puzzle {
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // it never fails
	rng := rand.New(rand.NewChaCha8(seed))
	x, outline := minX+rng.IntN(maxX-minX+1), newJigsaw(rng)
	palette, s := newPalette(rng), newScene(rng)
	return &Puzzle{
		X:       x,
		Picture: encode(drawPicture(s, palette, &outline, x)),
		Piece:   encode(drawPiece(s, palette, &outline, x)),
	}
}

// drawPicture makes the hole: dark, and what was there still faintly in it.
func drawPicture(s *scene, palette []color.RGBA, outline *jigsaw, x int) image.Image {
	colors := make(color.Palette, len(palette))
	for i, c := range palette {
		colors[i] = c
	}
	picture := image.NewPaletted(image.Rect(0, 0, width, height), colors)
	for i := range picture.Pix {
		shade := s.shade[i]
		if column := i%width - x; column >= 0 && column < pieceWidth {
			shade = rim(outline.distance(float64(column)+0.5, float64(i/width)+0.5), shade, sunken[shade])
		}
		picture.Pix[i] = s.index(i, shade)
	}
	return picture
}

// drawPiece cuts the piece out of the scene.
func drawPiece(s *scene, palette []color.RGBA, outline *jigsaw, x int) image.Image {
	piece := image.NewNRGBA(image.Rect(0, 0, pieceWidth, height))
	for y := range height {
		for column := range pieceWidth {
			d := outline.distance(float64(column)+0.5, float64(y)+0.5)
			if d >= 0.5 {
				continue
			}
			i := y*width + x + column
			c := palette[s.index(i, rim(d, s.shade[i], s.shade[i]))]
			piece.SetNRGBA(column, y, color.NRGBA{c.R, c.G, c.B, channel(0.5 - d)})
		}
	}
	return piece
}

// sunken are the shades in the hole. They keep what was light apart from what was
// dark: that is how one sees which way the piece belongs.
var sunken = [shades]uint8{lit: deep, plain: deep, shadow: darkest, deep: darkest, darkest: darkest}

// rim is the shade of a point at a distance from the outline. Piece and hole
// have the same rim, light within dark: it is seen on any background, and lies
// on itself when the piece is where it belongs.
func rim(distance float64, outside, inside uint8) uint8 {
	switch {
	case distance > 0:
		return outside
	case distance > -0.8:
		return deep
	case distance > -2:
		return lit
	}
	return inside
}

// encoder takes speed: better compression saves a tenth of the bytes, and doubles
// what a puzzle costs.
var encoder = png.Encoder{CompressionLevel: png.BestSpeed, BufferPool: new(buffers)}

// encode writes PNG for a browser, in base64.
func encode(img image.Image) string {
	var b bytes.Buffer
	_ = encoder.Encode(&b, img) // into memory, and of a size that PNG can have: it cannot fail
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// buffers saves a megabyte of garbage a picture.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() *png.EncoderBuffer {
	buffer, _ := b.pool.Get().(*png.EncoderBuffer)
	return buffer
}

func (b *buffers) Put(buffer *png.EncoderBuffer) { b.pool.Put(buffer) }

var _ png.EncoderBufferPool = (*buffers)(nil)
