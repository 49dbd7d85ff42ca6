package contact

import (
	"regexp"
	"strings"
)

// hidden is how many digits Star hides.
const hidden = 4

var (
	wireForm = regexp.MustCompile(`^\+[1-9][0-9]{0,2}-[0-9]+$`)
	starForm = regexp.MustCompile(`^(?:\+[1-9][0-9]{0,2}-)?([0-9*]+)$`)
)

// Star hides the middle four digits of a number in the form of ParseMobile:
// "+86-152****7321", or all of them where there are no more. Of anything else
// it shows nothing.
func Star(mobile string) string {
	if !wireForm.MatchString(mobile) {
		return strings.Repeat("*", hidden)
	}
	code, national, _ := strings.Cut(mobile, "-")
	return code + "-" + starDigits(national)
}

func starDigits(national string) string {
	n := min(hidden, len(national))
	start := (len(national) - n) / 2
	return national[:start] + strings.Repeat("*", n) + national[start+n:]
}

// StarEmail shows of an address the first character and the domain,
// "z***@qq.com", and only the domain if there is nothing behind that character.
func StarEmail(email string) string {
	local, domain, ok := strings.Cut(email, "@")
	if !ok {
		return "***"
	}
	first := ""
	if len(local) > 1 {
		first = local[:1]
	}
	return first + "***@" + domain
}

// IsStarred reports whether s is what Star writes of some number, with or
// without the calling code: "+86-152****7321", "152****7321".
func IsStarred(s string) bool {
	m := starForm.FindStringSubmatch(s)
	return m != nil && strings.Count(m[1], "*") <= hidden && starDigits(m[1]) == m[1]
}

// MatchesStarred reports whether starred is what Star writes of mobile, with or
// without the calling code.
func MatchesStarred(starred, mobile string) bool {
	if !wireForm.MatchString(mobile) {
		return false
	}
	_, national, _ := strings.Cut(mobile, "-")
	return starred == Star(mobile) || starred == starDigits(national)
}
