// Package slider owns the pictures of the slider puzzle that comes before a code
// is sent: a picture with a hole in the shape of a jigsaw piece, and the piece,
// to be slid into it.
//
// Whoever asks for a puzzle has proved nothing yet, so it must cost next to
// nothing to be asked: puzzles are drawn ahead, at a bounded rate, and under a
// flood the same ones are handed out again. A puzzle slows down a program that
// sends to many numbers, it does not keep out one that can see; the bound is
// that of the counters behind it.
//
// It must not know who solves a puzzle, nor how one is bound to a request.
package slider
