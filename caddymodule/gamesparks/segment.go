package gamesparks

import (
	"encoding/json"

	"github.com/qqauth/qqauth/authcore"
)

// requestedSegment is the `segments` of a request: an object of strings.
type requestedSegment struct {
	of  map[string]string
	bad bool
}

// UnmarshalJSON notes what is no object of strings, which has an answer of its
// own and does not make the whole request malformed.
func (s *requestedSegment) UnmarshalJSON(raw []byte) error {
	var of map[string]*string // null is no string
	if json.Unmarshal(raw, &of) != nil {
		s.bad = true
		return nil
	}
	s.of = make(map[string]string, len(of))
	for name, value := range of {
		if value == nil {
			s.bad = true
			return nil
		}
		s.of[name] = *value
	}
	return nil
}

func (s *requestedSegment) check() error {
	if s.bad {
		return authcore.ErrSegments
	}
	return nil
}
