package contact

import (
	"errors"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// ErrMalformed says that something is not a phone number of a listed country
// that can take a message, or not an e-mail address.
var ErrMalformed = errors.New("phone or e-mail malformed")

// maxWritten is the most bytes that a number may be written with: the 15 digits
// of E.164, "00" and a separator between any two. The library's own cap is 250,
// and its patterns are tried over all of that.
const maxWritten = 33

// ParseMobile returns the one form of a phone number, "+86-15201657321": the
// calling code and the national number. It reads that form,
// "+86 152 0165 7321", "+8615201657321", "008615201657321" and, as a number in
// the main region of the first calling code, "15201657321"; single spaces and
// hyphens may stand between digits. "86-15201657321" is read as well, but only
// if its digits are no number of that region.
//
// The number must be able to be a mobile phone and its calling code listed;
// otherwise the error is ErrMalformed. The form that it returns parses to
// itself.
func (c *Countries) ParseMobile(s string) (string, error) {
	n, ok := readNumber(s)
	if !ok {
		return "", ErrMalformed
	}
	if n.international {
		return c.international(n.digits)
	}
	if mobile, err := c.national(n.digits); err == nil {
		return mobile, nil
	}
	if code, err := strconv.Atoi(n.digits[:n.lead]); err == nil && c.codes[code] {
		return c.international(n.digits)
	}
	return "", ErrMalformed
}

// writtenNumber is a number as somebody wrote it, with the separators gone.
type writtenNumber struct {
	digits        string // without the "+" or "00" of an international one
	lead          int    // how many digits stood before the first separator; 0 without one
	international bool
}

// readNumber takes ASCII digits only. The library would also take letters of a
// keypad, extensions, URIs and the digits of other scripts, and read a number
// out of text that is none.
func readNumber(s string) (n writtenNumber, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) > maxWritten {
		return n, false
	}
	s, n.international = strings.CutPrefix(s, "+")
	digits := make([]byte, 0, maxWritten)
	apart := true // nothing but a digit may come next
	for i := range len(s) {
		switch {
		case '0' <= s[i] && s[i] <= '9':
			digits, apart = append(digits, s[i]), false
		case (s[i] == ' ' || s[i] == '-') && !apart:
			if n.lead == 0 {
				n.lead = len(digits)
			}
			apart = true
		default:
			return n, false
		}
	}
	n.digits = string(digits)
	if !n.international {
		n.digits, n.international = strings.CutPrefix(n.digits, "00")
	}
	return n, !apart
}

// international reads digits that begin with a calling code.
func (c *Countries) international(digits string) (string, error) {
	n, err := phonenumbers.Parse("+"+digits, "")
	if err != nil {
		return "", ErrMalformed
	}
	return c.write(n)
}

// national reads digits as they are dialled within the home region.
func (c *Countries) national(digits string) (string, error) {
	n, err := phonenumbers.ParseAndKeepRawInput(digits, c.home)
	// The library also finds calling codes in bare digits. That would give one
	// string another meaning with each change of the numbering plan.
	if err != nil || n.GetCountryCodeSource() != phonenumbers.PhoneNumber_FROM_DEFAULT_COUNTRY {
		return "", ErrMalformed
	}
	return c.write(n)
}

// write is the one form of a number that may get a message.
func (c *Countries) write(n *phonenumbers.PhoneNumber) (string, error) {
	if !c.codes[int(n.GetCountryCode())] {
		return "", ErrMalformed
	}
	switch phonenumbers.GetNumberType(n) {
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE:
	default:
		return "", ErrMalformed
	}
	code, national := strconv.Itoa(int(n.GetCountryCode())), phonenumbers.GetNationalSignificantNumber(n)
	// A number into which a trunk prefix could be read once more would have two
	// forms, and its owner two accounts. No numbering plan has one today.
	again, err := phonenumbers.Parse("+"+code+national, "")
	if err != nil || again.GetCountryCode() != n.GetCountryCode() ||
		phonenumbers.GetNationalSignificantNumber(again) != national {
		return "", ErrMalformed
	}
	return "+" + code + "-" + national, nil
}
