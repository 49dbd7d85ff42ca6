package slider_test

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/png"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/qqauth/qqauth/authcore/slider"
	"github.com/qqauth/qqauth/internal/solver"
)

// puzzles are 50 that a pool has drawn.
func puzzles(t *testing.T) []*slider.Puzzle {
	t.Helper()
	drawing.Do(func() {
		synctest.Test(t, func(t *testing.T) {
			pool := slider.New()
			defer pool.Close()
			for range 50 {
				drawn = append(drawn, pool.Next())
				time.Sleep(100 * time.Millisecond) // more than it takes to draw the next
			}
		})
	})
	return drawn
}

var (
	drawing sync.Once
	drawn   []*slider.Puzzle
)

// decode reads an image, which must not weigh more than a phone on a bad line
// should have to wait for.
func decode(t *testing.T, text string, most int) image.Image {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatalf("decode base64: %v", err)
	}
	if len(data) > most {
		t.Errorf("a picture of %d bytes, want %d at most", len(data), most)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("decode PNG: %v", err)
	}
	return img
}

// TestPuzzlesCanBeSolved slides each piece over its picture, as a person would
// do it, and stops where the two agree most.
func TestPuzzlesCanBeSolved(t *testing.T) {
	for i, puzzle := range puzzles(t) {
		picture, piece := decode(t, puzzle.Picture, 40<<10), decode(t, puzzle.Piece, 8<<10)
		if got := picture.Bounds(); got != image.Rect(0, 0, 310, 155) {
			t.Fatalf("the picture is %v", got)
		}
		if got := piece.Bounds(); got != image.Rect(0, 0, 47, 155) {
			t.Fatalf("the piece is %v", got)
		}
		if puzzle.X < 70 || puzzle.X > 255 {
			t.Errorf("the piece belongs to %d", puzzle.X)
		}
		x, err := solver.Solve(puzzle.Picture, puzzle.Piece)
		if err != nil || x < puzzle.X-5 || x > puzzle.X+5 {
			t.Errorf("puzzle %d: the piece seems to belong to %d (%v), and belongs to %d", i, x, err, puzzle.X)
		}
	}
}

func TestPuzzlesDiffer(t *testing.T) {
	seen := make(map[string]bool)
	places := make(map[int]bool)
	for _, p := range puzzles(t) {
		if seen[p.Picture] || seen[p.Piece] {
			t.Fatal("a picture was drawn twice")
		}
		seen[p.Picture], seen[p.Piece], places[p.X] = true, true, true
	}
	if len(places) < 25 { // of 186: by chance once in 1e12 runs
		t.Errorf("50 pieces belong to %d places", len(places))
	}
}

// TestPieceIsOnePiece: it has the size of a piece, and the window holds all of
// it: nothing opaque reaches the edge but the middle of a knob.
func TestPieceIsOnePiece(t *testing.T) {
	for i, puzzle := range puzzles(t) {
		piece := decode(t, puzzle.Piece, 8<<10)
		opaque, edge := 0, 0
		for y := range 155 {
			for x := range 47 {
				if _, _, _, a := piece.At(x, y).RGBA(); a == 0xffff {
					opaque++
					if x == 0 || x == 46 || y == 0 || y == 154 {
						edge++
					}
				}
			}
		}
		if opaque < 31*31*3/5 || opaque > 31*31*8/5 || edge > 0 {
			t.Errorf("puzzle %d: a piece of %d pixels, %d of them at the edge", i, opaque, edge)
		}
	}
}

// TestHoleIsSeen: the picture is darker in the hole than the piece that was cut
// from there, and not black.
func TestHoleIsSeen(t *testing.T) {
	for i, puzzle := range puzzles(t) {
		picture, piece := decode(t, puzzle.Picture, 40<<10), decode(t, puzzle.Piece, 8<<10)
		var hole, cut float64
		for y := range 155 {
			for x := range 47 {
				if _, _, _, a := piece.At(x, y).RGBA(); a == 0xffff {
					hole, cut = hole+solver.Light(picture, puzzle.X+x, y), cut+solver.Light(piece, x, y)
				}
			}
		}
		if ratio := hole / cut; ratio > 0.85 || ratio < 0.2 {
			t.Errorf("puzzle %d: the hole has %.2f of the light of the piece", i, ratio)
		}
	}
}
