package opaque

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding"
	"fmt"
	"io"
	"log/slog"
)

// redacted is all that a Secret shows of itself.
const redacted = "[redacted]"

// Secret is a string that must not be printed. Whatever formats, logs or
// marshals it gets "[redacted]"; only Reveal returns it.
//
// It cannot be compared with ==, which would tell by its time how much of a
// guess was right; use Equal.
type Secret struct {
	_ [0]func()
	// A pointer, because fmt calls no method on what it finds in an unexported
	// field of another struct: it prints the memory, and of a pointer only the
	// address.
	s *string
}

// Of makes a Secret of s.
func Of(s string) Secret { return Secret{s: &s} }

// Reveal returns the string itself, for the one place that it is meant for.
func (s Secret) Reveal() string {
	if s.s == nil {
		return ""
	}
	return *s.s
}

// IsZero reports whether there is no secret, or an empty one.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// Hash is the SHA-256 of the string: what a store may know a token by.
func (s Secret) Hash() [32]byte { return sha256.Sum256([]byte(s.Reveal())) }

// Equal compares in a time that tells nothing of either content.
func (s Secret) Equal(t Secret) bool {
	// Hashing first hides the lengths, which ConstantTimeCompare would not.
	a, b := s.Hash(), t.Hash()
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (Secret) GoString() string { return redacted }

// Format writes "[redacted]" for every verb; without it %x and %d would print
// what they find inside.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]", and so does JSON, which calls it.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

var (
	_ fmt.Formatter          = Secret{}
	_ fmt.GoStringer         = Secret{}
	_ slog.LogValuer         = Secret{}
	_ fmt.Stringer           = Secret{}
	_ encoding.TextMarshaler = Secret{}
)
