package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// headerTemplate is a header's value as an operator writes it, parsed once. What
// comes from a user is put in as it is and never read as a template again, so a
// nickname "{env.SECRET}" stays a nickname.
type headerTemplate struct{ parts []templatePart }

// templatePart is either a literal or a field.
type templatePart struct{ literal, field string }

// userFields are what a template may name, beside "segment." and a name.
var userFields = []string{
	"user.id", "user.name", "user.display_name", "user.mobile", "user.email", "client.id", "session.id",
}

const segmentPrefix = "segment."

// parseHeaderTemplate takes printable ASCII and fields in braces.
func parseHeaderTemplate(s string) (headerTemplate, error) {
	if s == "" {
		return headerTemplate{}, errors.New("the value is empty: write a text or a field such as {user.id}")
	}
	var t headerTemplate
	for s != "" {
		literal, rest, open := strings.Cut(s, "{")
		if i := strings.IndexFunc(literal, func(r rune) bool { return r < ' ' || r > '~' || r == '}' }); i >= 0 {
			return headerTemplate{}, errors.New("the value holds more than printable ASCII and fields: write a text or a field such as {user.id}")
		}
		if literal != "" {
			t.parts = append(t.parts, templatePart{literal: literal})
		}
		if !open {
			break
		}
		field, after, closed := strings.Cut(rest, "}")
		if !closed || !isField(field) {
			return headerTemplate{}, fmt.Errorf("the value holds an unknown field: write one of {%s}, {segment.NAME}", strings.Join(userFields, "}, {"))
		}
		t.parts = append(t.parts, templatePart{field: field})
		s = after
	}
	return t, nil
}

func isField(s string) bool {
	segment, ok := strings.CutPrefix(s, segmentPrefix)
	return ok && segment != "" && !strings.Contains(segment, "{") || slices.Contains(userFields, s)
}

// render puts the fields in. ok is false if the user lacks one of them: then
// there is no header, rather than half a one.
func (t headerTemplate) render(lookup func(field string) (string, bool)) (value string, ok bool) {
	var out strings.Builder
	for _, part := range t.parts {
		if part.field == "" {
			out.WriteString(part.literal)
			continue
		}
		v, found := lookup(part.field)
		if !found || v == "" {
			return "", false
		}
		writeEscaped(&out, v)
	}
	return out.String(), true
}

// writeEscaped percent-encodes the bytes of s that are not printable ASCII, and
// "%" itself, so that the receiver can undo it and no user can write a line
// break into a header.
func writeEscaped(out *strings.Builder, s string) {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if b := s[i]; b >= ' ' && b <= '~' && b != '%' {
			out.WriteByte(b)
		} else {
			out.Write([]byte{'%', hex[b>>4], hex[b&15]})
		}
	}
}
