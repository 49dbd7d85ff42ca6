//go:build !race

package gamesparks_test

// raced says that the race detector is on.
const raced = false
