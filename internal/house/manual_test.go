package house

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var (
	with    = regexp.MustCompile("--with[ =]([^\\s`@]+)")
	replace = regexp.MustCompile("--replace[ =]([^\\s`@=]+)=")
)

// TestManualNamesTheModule: what people copy from the manual must build.
func TestManualNamesTheModule(t *testing.T) {
	module := modulePath(t)
	for _, test := range []struct {
		file  string
		least int // how many commands it has to show
	}{{"xcaddy.md", 2}, {"README.md", 0}} {
		text, err := os.ReadFile(filepath.Join(root, test.file))
		if err != nil {
			t.Errorf("read the manual: %v", err)
			continue
		}
		found := with.FindAllSubmatch(text, -1)
		if len(found) < test.least {
			t.Errorf("%s shows %d commands with --with; want at least %d", test.file, len(found), test.least)
		}
		for _, m := range found {
			if string(m[1]) != module+"/caddymodule" {
				t.Errorf("%s builds with %s; want %s/caddymodule", test.file, m[1], module)
			}
		}
		for _, m := range replace.FindAllSubmatch(text, -1) {
			if string(m[1]) != module {
				t.Errorf("%s replaces %s; want %s", test.file, m[1], module)
			}
		}
	}
}
