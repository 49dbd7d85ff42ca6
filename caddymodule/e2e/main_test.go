package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	// The binary is built by the test, so Go does not know that it depends on
	// these packages, and would take a cached result for theirs.
	_ "github.com/qqauth/qqauth/caddymodule"
	"github.com/qqauth/qqauth/internal/pgtest"
)

// binary is the Caddy that every test runs, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(runAll(m))
}

func runAll(m *testing.M) int {
	dir, err := os.MkdirTemp("", "qqauth-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "caddy")
	args := slices.Concat([]string{"build"}, buildArgs, []string{"-o", binary, "../cmd/caddy"})
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build caddy: %v\n%s", err, out)
		return 1
	}
	return pgtest.Main(m)
}
