package authcore

import (
	"context"
	"errors"
	"slices"
	"time"
)

// erasedBefore tells when somebody was erased here, zero if nobody was.
func (b *importing) erasedBefore(tx Tx, hash ErasedHash) (time.Time, error) {
	e, err := tx.Erased(hash)
	if errors.Is(err, ErrNotFound) {
		return time.Time{}, nil
	}
	return e.At, err
}

// erased takes in that a QQ account or a user was erased elsewhere, or a user name
// given up. The account goes from whoever it was linked to before; the user is looked
// for when all is taken, since ids are told by hashes alone. Whoever has the name
// here keeps it.
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
	ring, now := i.node.keys.Ring(), i.node.now()
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
			return erase(tx, ring, u, now)
		})
	})
}
