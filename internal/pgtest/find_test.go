package pgtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// elsewhere makes only what is under dir be found.
func elsewhere(t *testing.T, dir, path string) {
	t.Helper()
	before := places
	t.Cleanup(func() { places = before })
	places = []string{filepath.Join(dir, "pg-*", "bin")}
	t.Setenv("PATH", path)
}

func install(t *testing.T, dir string, programs ...string) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o700))
	for _, program := range programs {
		must(t, os.WriteFile(filepath.Join(dir, program), nil, 0o700))
	}
}

func TestFind(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	path := filepath.Join(dir, "path")
	elsewhere(t, dir, path)
	for _, step := range []struct {
		at       string
		programs []string
		want     string
	}{
		{"pg-17/bin", []string{"postgres", "psql"}, ""}, // not a server
		{"pg-9.6/bin", programs, "pg-9.6/bin"},
		{"pg-16/bin", programs, "pg-16/bin"},
		{"pg-15/bin", programs, "pg-16/bin"},
		{"path", []string{"psql"}, "pg-16/bin"},
		{"path", programs, "path"},
	} {
		install(t, filepath.Join(dir, step.at), step.programs...)
		want := ""
		if step.want != "" {
			want = filepath.Join(dir, step.want)
		}
		if got, err := Find(); got != want || (err == nil) == (want == "") {
			t.Errorf("with %s: got %s, %v; want %s", step.at, got, err, want)
		}
	}
}

// verdict is a testing.TB that notes how the test ends.
type verdict struct {
	testing.TB
	said string
}

func (*verdict) Helper()                          {}
func (v *verdict) Fatalf(format string, a ...any) { v.said = "fail: " + fmt.Sprintf(format, a...) }
func (v *verdict) Skipf(format string, a ...any)  { v.said = "skip: " + fmt.Sprintf(format, a...) }

func TestRequire(t *testing.T) {
	dir := t.TempDir()
	elsewhere(t, dir, dir)
	for require, want := range map[string]string{
		"": "skip: ", "tmpfs": "skip: ", "postgresql": "skip: ", "postgres": "fail: ", "tmpfs,postgres": "fail: ",
	} {
		t.Setenv("QQAUTH_TEST_REQUIRE", require)
		v := &verdict{}
		if Require(v); !strings.HasPrefix(v.said, want) || !strings.Contains(v.said, "apt-get install postgresql") {
			t.Errorf("with %q: %q", require, v.said)
		}
	}
	install(t, filepath.Join(dir, "pg-15/bin"), programs...)
	v := &verdict{}
	if Require(v); v.said != "" {
		t.Errorf("with a server: %s", v.said)
	}
}
