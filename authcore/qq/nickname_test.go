package qq_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/qq"
)

// nickname returns what becomes of a name that QQ tells.
func nickname(t *testing.T, name string) string {
	t.Helper()
	quoted, err := json.Marshal(name)
	if err != nil {
		t.Fatal(err)
	}
	client := newClient(t, qq.Config{Transport: answering(`{"ret":0,"nickname":` + string(quoted) + `}`)})
	p, err := client.Profile(t.Context(), token, authcore.Identity{App: ours, OpenID: openID})
	if err != nil {
		t.Fatal(err)
	}
	return p.Nickname
}

func TestNickname(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"林小雨", "林小雨"},
		{"  Jonny Lee \u3000", "Jonny Lee"},
		{"e\u0301", "\u00e9"},
		{"e\u200b\u0301", "\u00e9"}, // composed after what stood between is gone
		{"a\x00b\x7fc\u0085d\u00ade", "abcde"},
		{"\u202eevil\u2066\u200f", "evil"},
		{"a\u2028b\u2029c\nd", "abcd"},
		{"\ufeffa\U000e0001", "a"},
		{"👩\u200d🚀", "👩\u200d🚀"},
		{"👩🏽\u200d🚀 🏳\ufe0f\u200d🌈 🙂\u200d↔\ufe0f", "👩🏽\u200d🚀 🏳\ufe0f\u200d🌈 🙂\u200d↔\ufe0f"},
		{"a\u200db\u200d", "ab"},
		{"👩\u200da", "👩a"},
		{"a\u200d👩", "a👩"},
		{"👩\u200d\u200d🚀", "👩\u200d🚀"},
		{"+\u200d+", "++"},
		{"", ""},
		{".", ""},
		{"qzuser", ""},
		{" .\u200b ", ""},
		{"..", ".."},
		{"\u200b \t", ""},
		{strings.Repeat("林", 65), strings.Repeat("林", 64)},
		{strings.Repeat("林", 63) + " 雨", strings.Repeat("林", 63)},
		{strings.Repeat("林", 62) + "👩\u200d🚀", strings.Repeat("林", 62) + "👩"},
	} {
		if got := nickname(t, tt.in); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

// Every name becomes one that is safe to show, and stays it.
func FuzzNickname(f *testing.F) {
	for _, seed := range []string{"林小雨", "e\u200b\u0301", "👩\u200d🚀", "\u202eevil", ".\u200b", strings.Repeat("👩\u200d", 40), "\u1100\u1161\u0301 "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) > 4096 {
			return
		}
		got := nickname(t, in)
		if !utf8.ValidString(got) || !norm.NFC.IsNormalString(got) || utf8.RuneCountInString(got) > 64 || strings.TrimSpace(got) != got {
			t.Fatalf("%q became %q", in, got)
		}
		for _, r := range got {
			if r != '\u200d' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
				t.Fatalf("%q became %q", in, got)
			}
		}
		if again := nickname(t, got); again != got {
			t.Fatalf("%q became %q and then %q", in, got, again)
		}
	})
}
