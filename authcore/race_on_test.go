//go:build race

package authcore_test

// raced says that the race detector is on, which makes everything take many times
// as long.
const raced = true
