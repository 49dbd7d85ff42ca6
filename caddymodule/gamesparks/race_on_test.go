//go:build race

package gamesparks_test

// raced says that the race detector is on, which makes everything take many times
// the memory.
const raced = true
