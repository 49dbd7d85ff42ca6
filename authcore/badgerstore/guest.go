package badgerstore

import (
	"errors"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/record"
)

// guestPage is how many keys of guests are held at once.
const guestPage = 1000

// Guests implements [authcore.Tx]. It goes through all guests: their keys tell
// nothing of when they are due. One whose record is damaged is left out, or no other
// would ever be swept; the damage is counted.
func (t *tx) Guests(before time.Time, limit int) (due []authcore.Guest, err error) {
	if t.own != nil {
		return nil, errNoPage // what was written meanwhile is in no iterator
	}
	after := ""
	for len(due) < limit {
		page, err := t.iterate(kindGuest, after, guestPage)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			g, err := t.guest(e.key)
			switch {
			case errors.Is(err, authcore.ErrDamaged):
				continue
			case err != nil:
				return nil, t.keep(err)
			case g.Due.Before(before) && len(due) < limit:
				due = append(due, g)
			}
		}
		if len(page) < guestPage {
			break
		}
		after = string(page[len(page)-1].key[1:])
	}
	return due, nil
}

// guest reads a record without making its damage the transaction's.
func (t *tx) guest(key []byte) (g authcore.Guest, err error) {
	plain, _, err := t.read(key)
	if err == nil && record.Decode(plain, &g) != nil {
		err = t.store.damaged(key, "cannot be decoded")
	}
	return g, err
}

// PutGuest implements [authcore.Tx].
func (t *tx) PutGuest(g authcore.Guest) { t.save(kindGuest.key(string(g.User)), g, 0) }

// DeleteGuest implements [authcore.Tx].
func (t *tx) DeleteGuest(id authcore.UserID) { t.delete(kindGuest.key(string(id))) }
