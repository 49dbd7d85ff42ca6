package caddymodule

import (
	"net/url"
	"strings"
	"testing"
)

func TestHeaderTemplate(t *testing.T) {
	user := map[string]string{
		"user.id": "20220425140138519-BF1B-528B05551", "user.name": "li", "user.display_name": "李 100%\r\nX: y",
		"user.email": "", "segment.tier": "gold", "segment.a b": "c", "client.id": "{env.HOME}",
	}
	lookup := func(field string) (string, bool) {
		v, ok := user[field]
		return v, ok
	}
	for _, tc := range []struct {
		template, want string
		ok             bool
	}{
		{"{user.id}", "20220425140138519-BF1B-528B05551", true},
		{"constant 100%", "constant 100%", true},
		{"<{user.name}> ({segment.tier})", "<li> (gold)", true},
		{"{user.name}{user.name}", "lili", true},
		{"{segment.a b}", "c", true},
		{"{user.display_name}", "%E6%9D%8E 100%25%0D%0AX: y", true},
		{"{client.id}", "{env.HOME}", true},
		{"{user.mobile}", "", false},
		{"{user.email}", "", false},
		{"+86 {segment.none}", "", false},
	} {
		parsed, err := parseHeaderTemplate(tc.template)
		if err != nil {
			t.Errorf("%s: %v", tc.template, err)
			continue
		}
		if got, ok := parsed.render(lookup); got != tc.want || ok != tc.ok {
			t.Errorf("%s: got %q, %v", tc.template, got, ok)
		}
	}
}

func TestHeaderTemplateRefuses(t *testing.T) {
	for _, template := range []string{
		"", "{", "}", "{}", "{user.id", "user.id}", "{user.id}}", "{{user.id}}", "{user.password}", "{USER.ID}", "{user.id }",
		"{segment.}", "{segment.{user.id}}", "{env.HOME}", "{http.request.host}", "{http.auth.user.id}", `\{user.id\}`,
		"李", "a\r\nb", "a\tb", "\x7f", "\xff",
	} {
		if _, err := parseHeaderTemplate(template); err == nil {
			t.Errorf("took %q", template)
		}
	}
}

// FuzzHeaderTemplate: whatever a user is called, the header stays one printable
// line, from which the name can be had again.
func FuzzHeaderTemplate(f *testing.F) {
	f.Add("{user.name}", "李四")
	f.Add("a{segment.x}b", "100%\x00\r\n")
	f.Fuzz(func(t *testing.T, template, value string) {
		parsed, err := parseHeaderTemplate(template)
		if err != nil {
			return
		}
		got, ok := parsed.render(func(string) (string, bool) { return value, true })
		if strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("%q with %q: %q", template, value, got)
		}
		single, _ := parseHeaderTemplate("{user.name}")
		alone, aloneOK := single.render(func(string) (string, bool) { return value, true })
		if back, err := url.PathUnescape(alone); err != nil || back != value || aloneOK != (value != "") {
			t.Fatalf("%q became %q and back %q, %v", value, alone, back, err)
		}
		if ok && !strings.Contains(template, "{") && got != template {
			t.Fatalf("%q without a field became %q", template, got)
		}
	})
}
