package authcore

import (
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/qqauth/qqauth/authcore/token"
)

// minUserName is how many characters a user name has at least.
const minUserName = 3

// idShaped is what a folded name may not look like: whoever reads "user" in a
// support request must not take a name for an id.
var idShaped = regexp.MustCompile(`^[0-9]{17}-[0-9a-f]{4}-[0-9a-f]{9}$`)

// foldName brings a user name into the form by which names are equal: NFKC and
// case folding, and NFKC again, because folding can undo it (Unicode Standard
// §3.13, toNFKC_Casefold). Package cases leaves some scripts as they are, so each
// letter gives way first to one that stands for all that differ from it in case.
func foldName(name string) string {
	one := strings.Map(firstOfCase, norm.NFKC.String(name))
	return norm.NFKC.String(cases.Fold().String(one))
}

// firstOfCase is the first of the characters that differ from r in case alone.
func firstOfCase(r rune) rune {
	first := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		first = min(first, next)
	}
	return first
}

// checkUserName answers ErrUserName for a name that nobody may have.
func checkUserName(name string) error {
	folded := foldName(name)
	runes := utf8.RuneCountInString(folded)
	if !utf8.ValidString(name) || runes < minUserName || runes > maxName || utf8.RuneCountInString(name) > maxName ||
		name != strings.TrimSpace(name) || strings.ContainsFunc(folded, isHidden) || idShaped.MatchString(folded) {
		return ErrUserName
	}
	return nil
}

// isHidden reports characters that nobody sees, which make two names look like one:
// what Unicode would ignore where it is not known (UAX #44,
// Default_Ignorable_Code_Point), what is not assigned, and the empty pattern of
// Braille.
func isHidden(r rune) bool {
	return !unicode.IsGraphic(r) || r == '\u2800' ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// userNameHandle stands for a user name.
func userNameHandle(ring *token.Ring, name string) HandleHash {
	return HandleHash(ring.Index("user name", foldName(name)))
}

// takeName gives a user a name that nobody has and nobody has given up, or answers
// ErrTaken. The user's own of before is given up.
func takeName(tx Tx, ring *token.Ring, u *User, name string, now time.Time) error {
	handle := userNameHandle(ring, name)
	owner, err := tx.UserByHandle(handle)
	switch {
	case err == nil && owner.ID != u.ID:
		return ErrTaken
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	}
	if err != nil { // nobody's: is it somebody's who is gone?
		if _, err := tx.Erased(ErasedHash(handle)); err == nil {
			return ErrTaken
		} else if !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	if u.UserName != "" && userNameHandle(ring, u.UserName) != handle {
		if err := giveUpName(tx, ring, u, now); err != nil {
			return err
		}
	}
	u.UserName = name
	return nil
}

// giveUpName sees to it that a user's name finds nobody any more, the user no less
// than others: a name that was somebody's once never becomes another's.
func giveUpName(tx Tx, ring *token.Ring, u *User, now time.Time) error {
	if u.UserName == "" {
		return nil
	}
	handle := userNameHandle(ring, u.UserName)
	owner, err := tx.UserByHandle(handle)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil && owner.ID == u.ID {
		tx.DeleteHandle(handle)
		tx.PutErased(Erased{Hash: ErasedHash(handle), At: now})
	}
	return err
}
