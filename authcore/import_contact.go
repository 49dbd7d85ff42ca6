package authcore

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

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

// erasedBefore tells when somebody was erased here, zero if nobody was.
func (b *importing) erasedBefore(tx Tx, hash ErasedHash) (time.Time, error) {
	e, err := tx.Erased(hash)
	if errors.Is(err, ErrNotFound) {
		return time.Time{}, nil
	}
	return e.At, err
}

// erased takes in that a QQ account or a user was erased elsewhere. The account
// goes from whoever it was linked to before; the user is looked for when all is
// taken, since ids are told by hashes alone.
func (b *importing) erased(tx Tx, e *Erased) error {
	if !b.shared {
		b.report.Left++
		return nil
	}
	if known, err := b.erasedBefore(tx, e.Hash); err != nil {
		return err
	} else if !known.Before(e.At) {
		b.report.Left++
		return nil
	}
	b.report.Erased++
	b.gone = append(b.gone, e.Hash)
	tx.PutErased(*e)
	u, err := tx.UserByIdentity(IdentityHash(e.Hash))
	if errors.Is(err, ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	i := slices.IndexFunc(u.Links, func(l Link) bool { return l.Identity == IdentityHash(e.Hash) })
	if i < 0 || u.Links[i].Since.After(e.At) {
		return nil // who came back since
	}
	ended, err := endSessions(tx, &u, func(SessionRef) bool { return true })
	if err != nil {
		return err
	}
	b.events = append(append(b.events, ended...), Event{User: u.ID})
	link := u.Links[i]
	u.Links = slices.Delete(slices.Clone(u.Links), i, i+1)
	tx.DeleteLink(link, u.ID)
	tx.PutUser(u)
	return leaveUnion(tx, b.ring, link, u.ID)
}

// eraseUsers erases those users who were erased elsewhere.
func (i *Import) eraseUsers(ctx context.Context, erased map[ErasedHash]bool) error {
	ring := i.node.keys.Ring()
	return exportUsers(ctx, i.node.store, nil, func(r Record) error {
		if !erased[erasedUser(ring, r.User.ID)] {
			return nil
		}
		return i.node.update(ctx, func(tx Tx) ([]Event, error) {
			u, err := tx.User(r.User.ID)
			if errors.Is(err, ErrNotFound) {
				return nil, nil
			} else if err != nil {
				return nil, err
			}
			return erase(tx, ring, u)
		})
	})
}
