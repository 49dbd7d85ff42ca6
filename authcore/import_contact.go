package authcore

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/qqauth/qqauth/authcore/contact"
)

// addContacts gives the user the phone and the address that came in where there is
// none yet and that are nobody else's, which are new ways in. For one that the
// user has already, it sees to it that it finds the user.
func (b *importing) addContacts(tx Tx, n int, u, in *User) (added, healed bool, err error) {
	for _, way := range []Way{WayPhone, WayEmail} {
		value, own := oneForm(way, in.contact(way)), oneForm(way, u.contact(way))
		if value == "" || own != "" && own != value {
			continue
		}
		handle := handleOf(b.ring, way, value)
		owner, err := tx.UserByHandle(handle)
		switch {
		case err == nil && owner.ID == u.ID:
			continue
		case err == nil && way == WayEmail:
			b.conflict(n, reasonEmail)
			continue
		case err == nil:
			b.conflict(n, reasonMobile)
			continue
		case !errors.Is(err, ErrNotFound):
			return added, healed, err
		}
		via := *u.via(way)
		if own == "" {
			via, added = *in.via(way), true
		}
		u.setContact(way, value, "")
		*u.via(way) = slices.Clone(via)
		b.handles, healed = append(b.handles, handle), true
	}
	return added, healed, nil
}

// oneForm brings a phone or an address that came in into the form that users are
// found by. What package contact does not know stays as it is.
func oneForm(way Way, value string) string {
	if way == WayEmail {
		if address, err := contact.ParseEmail(value); err == nil {
			return address
		}
		return value
	}
	code, _, _ := strings.Cut(strings.TrimPrefix(value, "+"), "-")
	if number, err := strconv.Atoi(code); err == nil {
		if countries, err := contact.NewCountries([]int{number}); err == nil {
			if mobile, err := countries.ParseMobile(value); err == nil {
				return mobile
			}
		}
	}
	return value
}
