package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// root is the top of the repository, as seen from here.
const root = "../.."

// source is a Go file of this repository.
type source struct {
	dir, name string // slash-separated, dir relative to the root
	test      bool
	lines     int
	imports   []string
	comment   *ast.CommentGroup // of the package
	text      string
}

func (s source) path() string { return path.Join(s.dir, s.name) }

// sources reads every Go file, whatever platform it is for.
var sources = sync.OnceValues(func() (all []source, err error) {
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(d.Name(), ".go"):
			return nil
		}
		s, err := read(file)
		all = append(all, s)
		return err
	})
	return all, err
})

func read(file string) (source, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return source{}, err
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return source{}, err
	}
	dir, err := filepath.Rel(root, filepath.Dir(file))
	s := source{
		dir: filepath.ToSlash(dir), name: filepath.Base(file), test: strings.HasSuffix(file, "_test.go"),
		lines: strings.Count(string(text), "\n"), comment: parsed.Doc, text: string(text),
	}
	for _, i := range parsed.Imports {
		s.imports = append(s.imports, strings.Trim(i.Path.Value, `"`))
	}
	return s, err
}

// each runs a test on every Go file.
func each(t *testing.T, test func(source)) {
	t.Helper()
	all, err := sources()
	if err != nil {
		t.Fatalf("read the sources: %v", err)
	}
	for _, s := range all {
		test(s)
	}
}

var moduleLine = regexp.MustCompile(`(?m)^module (\S+)$`)

// modulePath is what go.mod says.
func modulePath(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatalf("read go.mod: %v", err)
	}
	line := moduleLine.FindSubmatch(text)
	if line == nil {
		t.Fatal("go.mod names no module")
	}
	return string(line[1])
}
