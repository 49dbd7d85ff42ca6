package contact

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

const (
	// maxEmail and maxLocal are the bounds of RFC 5321 §4.5.3.1; of the path,
	// 256, two are its angle brackets.
	maxEmail = 254
	maxLocal = 64
	// maxEmailWritten bounds the work on a domain before it is in ASCII, where
	// it may be shorter.
	maxEmailWritten = 4 * maxEmail
)

// domains maps the domain of an address to the one form in which it is looked
// up: lower case, Unicode as Punycode.
var domains = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.VerifyDNSLength(true))

// ParseEmail returns the one form of an e-mail address: without the space
// around it, in lower case, the domain in ASCII. Local parts are compared
// without case: RFC 5321 §2.4 lets a host tell them apart, and hardly one does.
//
// Anything but dot-atom@domain is ErrMalformed: quoted local parts, comments,
// display names, address literals, non-ASCII local parts, domains of one label.
// The form that it returns parses to itself.
func ParseEmail(s string) (string, error) {
	s = strings.TrimSpace(s)
	// idna takes a broken byte for a letter.
	if len(s) > maxEmailWritten || !utf8.ValidString(s) {
		return "", ErrMalformed
	}
	local, domain, ok := strings.Cut(s, "@")
	if !ok || !dotAtom(local) {
		return "", ErrMalformed
	}
	domain, err := domains.ToASCII(domain)
	if err != nil || !registrable(domain) || len(local)+1+len(domain) > maxEmail {
		return "", ErrMalformed
	}
	return strings.ToLower(local) + "@" + domain, nil
}

// dotAtom reports whether s is the dot-atom of RFC 5322 §3.2.3, and short enough.
func dotAtom(s string) bool {
	if len(s) > maxLocal {
		return false
	}
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.ContainsFunc(atom, notAtext) {
			return false
		}
	}
	return true
}

func notAtext(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') &&
		!strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// registrable reports whether a domain has a dot and ends in a label with a
// letter: 10.0.0.1 passes for a name otherwise.
func registrable(domain string) bool {
	dot := strings.LastIndexByte(domain, '.')
	return dot > 0 && strings.Trim(domain[dot+1:], "0123456789") != ""
}
