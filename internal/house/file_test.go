package house

import (
	"slices"
	"strings"
	"testing"
)

// maxLines is the most that a file may have; 400 is the aim.
const maxLines = 450

func TestPackagesHaveOneComment(t *testing.T) {
	comments := make(map[string][]source)
	each(t, func(s source) {
		if s.test {
			return
		}
		files := comments[s.dir] // none is an entry too
		if s.comment != nil {
			files = append(files, s)
		}
		comments[s.dir] = files
	})
	for dir, files := range comments {
		if len(files) != 1 {
			t.Errorf("%s has %d package comments; want one", dir, len(files))
			continue
		}
		text := files[0].comment.Text()
		if lines := strings.Count(text, "\n"); lines > 5 && files[0].name != "doc.go" {
			t.Errorf("%s: a package comment of %d lines belongs into doc.go", files[0].path(), lines)
		}
		if !strings.HasPrefix(text, "Package ") && !strings.HasPrefix(text, "Command ") {
			t.Errorf("%s: the package comment begins %.20q", files[0].path(), text)
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	each(t, func(s source) {
		if !s.test && s.lines > maxLines {
			t.Errorf("%s has %d lines; split it where it holds two things", s.path(), s.lines)
		}
	})
}

func TestFilesAreNamedAfterAConcept(t *testing.T) {
	kinds := []string{"utils.go", "util.go", "types.go", "helpers.go", "models.go", "common.go", "misc.go"}
	each(t, func(s source) {
		if slices.Contains(kinds, strings.Replace(s.name, "_test.go", ".go", 1)) {
			t.Errorf("%s is named after a kind of code", s.path())
		}
	})
}

func TestNothingIsLeftForLater(t *testing.T) {
	words := []string{"TO" + "DO", "FIX" + "ME", "XX" + "X:"}
	each(t, func(s source) {
		for _, word := range words {
			if strings.Contains(s.text, word) {
				t.Errorf("%s holds a %s", s.path(), word)
			}
		}
	})
}
