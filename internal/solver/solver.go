// Package solver finds where the piece of a slider puzzle belongs, as a person
// does by looking. It is for tests. It must not know how puzzles are drawn, nor
// anything else of this module.
package solver

import (
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"math"
	"strings"
)

// Solve takes picture and piece as PNG in base64 and returns how many pixels the
// piece has to slide from the picture's left edge. It is right within a few
// pixels, and an error says only that there is no puzzle to look at.
func Solve(picture, piece string) (int, error) {
	whole, err := decode(picture)
	if err != nil {
		return 0, fmt.Errorf("decode picture: %w", err)
	}
	part, err := decode(piece)
	if err != nil {
		return 0, fmt.Errorf("decode piece: %w", err)
	}
	if w, p := whole.Bounds(), part.Bounds(); w.Dx() < p.Dx() || w.Dy() < p.Dy() {
		return 0, fmt.Errorf("slide piece: %v does not fit into %v", p, w)
	}
	return slide(whole, part), nil
}

func decode(text string) (image.Image, error) {
	return png.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(text)))
}

// slide returns where the normalised cross-correlation of the piece's opaque
// pixels with the picture's is highest.
func slide(picture, piece image.Image) int {
	var points []image.Point
	var values []float64
	for y := range piece.Bounds().Dy() {
		for x := range piece.Bounds().Dx() {
			if _, _, _, a := piece.At(x, y).RGBA(); a == 0xffff {
				points, values = append(points, image.Pt(x, y)), append(values, Light(piece, x, y))
			}
		}
	}
	normalise(values)
	wide := picture.Bounds().Dx()
	lights := make([]float64, wide*picture.Bounds().Dy())
	for i := range lights {
		lights[i] = Light(picture, i%wide, i/wide)
	}
	best, at := math.Inf(-1), -1
	under := make([]float64, len(points))
	for x := range wide - piece.Bounds().Dx() + 1 {
		for i, p := range points {
			under[i] = lights[p.Y*wide+p.X+x]
		}
		normalise(under)
		var sum float64
		for i := range values {
			sum += values[i] * under[i]
		}
		if sum > best {
			best, at = sum, x
		}
	}
	return at
}

// Light is how bright a pixel looks, from 0 to 65535.
func Light(img image.Image, x, y int) float64 {
	r, g, b, _ := img.At(x, y).RGBA()
	return 0.299*float64(r) + 0.587*float64(g) + 0.114*float64(b)
}

// normalise brings the mean to 0 and the length to 1.
func normalise(v []float64) {
	var sum, squares float64
	for _, x := range v {
		sum += x
	}
	for i := range v {
		v[i] -= sum / float64(len(v))
		squares += v[i] * v[i]
	}
	for i := range v {
		v[i] /= math.Sqrt(squares) + 1e-9
	}
}
