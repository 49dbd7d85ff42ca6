package pgtest

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// programs are those that a server's bin directory has to have.
var programs = []string{"initdb", "postgres", "pg_basebackup", "psql"}

// places are where systems install servers outside PATH.
var places = []string{
	"/usr/lib/postgresql/*/bin", // Debian
	"/usr/pgsql-*/bin",          // postgresql.org's packages for RHEL
	"/usr/libexec/postgresql*",  // Alpine
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/usr/local/pgsql/bin",
}

// version finds the major version in the name of a bin directory.
var version = regexp.MustCompile(`(\d+)(\.\d+)?(/bin)?$`)

// Find returns the directory of the installed server programs: that of PATH, or
// else that of the newest version.
func Find() (bindir string, err error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil && complete(filepath.Dir(path)) {
			return filepath.Dir(path), nil
		}
	}
	var found []string
	for _, place := range places {
		dirs, _ := filepath.Glob(place) // the patterns are well formed
		found = append(found, dirs...)
	}
	found = slices.DeleteFunc(found, func(dir string) bool { return !complete(dir) })
	if len(found) == 0 {
		return "", errors.New("find PostgreSQL: no directory has " + strings.Join(programs, ", ") +
			": install a server (apt-get install postgresql, dnf install postgresql-server, brew install postgresql)" +
			" or put its bin directory into PATH")
	}
	return slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(major(a), major(b)) }), nil
}

func complete(dir string) bool {
	return !slices.ContainsFunc(programs, func(program string) bool {
		_, err := exec.LookPath(filepath.Join(dir, program))
		return err != nil
	})
}

// major is the version that a directory is named after, 0 if none.
func major(dir string) int {
	found := version.FindStringSubmatch(filepath.ToSlash(dir))
	if found == nil {
		return 0
	}
	n, _ := strconv.Atoi(found[1]) // digits
	return n
}

// Require skips the test if no server is installed, or fails it with "postgres"
// in QQAUTH_TEST_REQUIRE.
func Require(tb testing.TB) {
	tb.Helper()
	_, err := Find()
	switch {
	case err == nil:
	case slices.Contains(strings.Split(os.Getenv("QQAUTH_TEST_REQUIRE"), ","), "postgres"):
		tb.Fatalf("a PostgreSQL is required: %v", err)
	default:
		tb.Skipf("no PostgreSQL: %v", err)
	}
}
