package transfer

import (
	"errors"
	"strings"

	"github.com/qqauth/qqauth/authcore"
)

// Position names a record by its kind and key, for an export that goes on behind
// it; "" for a record of no kind.
func Position(r authcore.Record) string {
	text := func(h hash) string { b, _ := h.MarshalText(); return string(b) }
	switch {
	case r.Erased != nil:
		return typeErased + ":" + text(hash(r.Erased.Hash))
	case r.User != nil:
		return typeUser + ":" + string(r.User.ID)
	case r.Session != nil:
		return typeSession + ":" + string(r.Session.ID)
	case r.Retired != nil:
		return typeRetired + ":" + text(hash(r.Retired.Token))
	case r.Access != nil:
		return typeAccess + ":" + text(hash(r.Access.Hash))
	}
	return ""
}

// ParsePosition returns a record that has the kind and key of a position and
// nothing else, the zero Record for "".
func ParsePosition(s string) (r authcore.Record, err error) {
	if s == "" {
		return r, nil
	}
	kind, key, _ := strings.Cut(s, ":")
	var h hash
	switch kind {
	case typeErased:
		err = h.UnmarshalText([]byte(key))
		r.Erased = &authcore.Erased{Hash: authcore.ErasedHash(h)}
	case typeUser:
		r.User = &authcore.User{ID: authcore.UserID(key)}
	case typeSession:
		r.Session = &authcore.Session{ID: authcore.SessionID(key)}
	case typeRetired:
		err = h.UnmarshalText([]byte(key))
		r.Retired = &authcore.RetiredToken{Token: authcore.TokenHash(h)}
	case typeAccess:
		err = h.UnmarshalText([]byte(key))
		r.Access = &authcore.KnownAccess{Hash: authcore.AccessHash(h)}
	default:
		err = errors.New("unknown kind")
	}
	if err != nil || key == "" {
		return authcore.Record{}, errors.New("not a position in an export")
	}
	return r, nil
}
