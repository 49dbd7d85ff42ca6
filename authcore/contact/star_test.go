package contact_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/qqauth/qqauth/authcore/contact"
)

func TestStar(t *testing.T) {
	for in, want := range map[string]string{
		"+86-15201657321": "+86-152****7321",
		"+852-51234567":   "+852-51****67",
		"+290-51234":      "+290-****4",
		"+683-1234":       "+683-****",
		"+683-123":        "+683-***",
		"15201657321":     "****", // not in the form: nothing is shown
		"":                "****",
	} {
		if got := contact.Star(in); got != want {
			t.Errorf("Star(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestStarEmail(t *testing.T) {
	for in, want := range map[string]string{
		"zhangsan@qq.com": "z***@qq.com",
		"ab@qq.com":       "a***@qq.com",
		"a@qq.com":        "***@qq.com",
		"@qq.com":         "***@qq.com",
		"zhangsan":        "***",
		"":                "***",
	} {
		if got := contact.StarEmail(in); got != want {
			t.Errorf("StarEmail(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestIsStarred(t *testing.T) {
	for in, want := range map[string]bool{
		"+86-152****7321": true, "152****7321": true, "51****67": true, "****4": true, "****": true, "***": true,
		"": false, "+86-": false, "15201657321": false, "+86-15201657321": false, "152***57321": false,
		"1520****321": false, "152*****321": false, "1520****7321*": false, "*****": false, "****1234": false,
		"86-152****7321": false, "+86152****7321": false, " 152****7321": false, "152****7321\n": false,
		"１５２****7321": false, "z***@qq.com": false,
	} {
		if got := contact.IsStarred(in); got != want {
			t.Errorf("IsStarred(%q) = %v, want %v", in, got, want)
		}
	}
}

func TestMatchesStarred(t *testing.T) {
	const mobile = "+86-15201657321"
	for starred, want := range map[string]bool{
		"+86-152****7321": true, "152****7321": true,
		"": false, mobile: false, "****": false, "+85-152****7321": false, "152****7322": false, "151****7321": false,
		"+86": false, "86-152****7321": false,
	} {
		if got := contact.MatchesStarred(starred, mobile); got != want {
			t.Errorf("MatchesStarred(%q, %q) = %v, want %v", starred, mobile, got, want)
		}
	}
	if contact.MatchesStarred("****", "") || contact.MatchesStarred("", "") {
		t.Error("a user without a number has a starred one")
	}
}

// TestStarHides: what Star writes is starred, matches its number in both
// spellings, holds no four digits in the middle, and is no number itself.
func TestStarHides(t *testing.T) {
	all := countries(t, everyCode()...)
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.StringMatching(`\+[1-9][0-9]{0,2}`).Draw(t, "code")
		national := rapid.StringMatching(`[0-9]{1,14}`).Draw(t, "national")
		mobile := code + "-" + national
		starred := contact.Star(mobile)
		bare := strings.TrimPrefix(starred, code+"-")
		if len(bare) != len(national) || strings.Count(bare, "*") != min(4, len(national)) {
			t.Fatalf("Star(%q) = %q", mobile, starred)
		}
		for _, s := range []string{starred, bare} {
			if !contact.IsStarred(s) || !contact.MatchesStarred(s, mobile) {
				t.Fatalf("Star(%q) = %q, and %q is not taken for it", mobile, starred, s)
			}
			if got, err := all.ParseMobile(s); err == nil {
				t.Fatalf("ParseMobile(%q) = %q", s, got)
			}
		}
	})
}
