package strictjson

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// fewNames is how many names of an object are compared one by one. A body of
// 64 KiB holds thousands of short names, and comparing each with each would
// cost its sender nothing and us a tenth of a second; so further ones go into a
// map.
const fewNames = 16

// names holds the member names of one object.
type names struct {
	few  [fewNames][]byte
	n    int
	many map[string]struct{}
}

// add reports whether name differs from all before it in more than case.
func (s *names) add(name []byte) bool {
	for _, other := range s.few[:s.n] {
		if bytes.EqualFold(name, other) {
			return false
		}
	}
	if s.n < fewNames {
		s.few[s.n] = name
		s.n++
		return true
	}
	if s.many == nil {
		s.many = make(map[string]struct{})
	}
	folded := fold(name)
	if _, ok := s.many[folded]; ok {
		return false
	}
	s.many[folded] = struct{}{}
	return true
}

// fold replaces each character by the first of those that differ from it in
// case alone, as [bytes.EqualFold] understands it: the Kelvin sign becomes K.
func fold(name []byte) string {
	out := make([]byte, 0, len(name))
	for _, r := range string(name) {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		out = utf8.AppendRune(out, least)
	}
	return string(out)
}
