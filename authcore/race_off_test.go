//go:build !race

package authcore_test

// raced says that the race detector is on.
const raced = false
