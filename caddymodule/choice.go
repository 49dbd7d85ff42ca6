package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// oneOf returns a check that demands one of the allowed words.
func oneOf[T ~string](allowed ...T) func(T) error {
	return func(got T) error {
		if slices.Contains(allowed, got) {
			return nil
		}
		names := make([]string, len(allowed))
		for i, word := range allowed {
			names[i] = string(word)
		}
		return errors.New(unknown(string(got), names))
	}
}

// subset demands that every word is allowed and stands once.
func subset[T ~string](words, allowed []T) error {
	for _, word := range words {
		if err := oneOf(allowed...)(word); err != nil {
			return err
		}
	}
	return distinct(words)
}

// distinct demands that every word stands once.
func distinct[T ~string](words []T) error {
	for i, word := range words {
		if slices.Contains(words[:i], word) {
			return fmt.Errorf("%q stands twice: write it once", word)
		}
	}
	return nil
}

// unknown says that a word is not one of those allowed, and which one was
// probably meant.
func unknown(word string, allowed []string) string {
	said := "unknown word"
	// A secret that slipped onto a line of its own must not be repeated. Our
	// words are lower-case letters and "_"; a random secret is not.
	if len(word) <= 24 && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz_") == "" {
		said += fmt.Sprintf(" %q", word)
	}
	if near, ok := nearest(word, allowed); ok {
		return fmt.Sprintf("%s: did you mean %s?", said, near)
	}
	return fmt.Sprintf("%s: write one of %s", said, strings.Join(allowed, ", "))
}

// nearest returns the word at the smallest edit distance, if that is small
// enough for a slip of the hand: 2, and less than half of the word.
func nearest(word string, among []string) (best string, ok bool) {
	limit := min(2, (len(word)-1)/2)
	for _, candidate := range among {
		if d := editDistance(strings.ToLower(word), strings.ToLower(candidate)); d <= limit {
			best, ok, limit = candidate, true, d-1
		}
	}
	return best, ok
}

// editDistance counts the bytes to insert, delete or replace, and the
// neighbours to swap, that turn a into b.
func editDistance(a, b string) int {
	// Three rows of the usual table; before is the one above the one above.
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := above[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, above[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
