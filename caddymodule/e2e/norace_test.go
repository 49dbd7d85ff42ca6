//go:build !race

package e2e

// buildArgs makes the binary as the tests themselves were made.
var buildArgs []string
