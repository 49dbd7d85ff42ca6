package authcore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// guestUnused is how long a guest may go unused before they are swept. It is counted
// from the end of the last session, during which they may have been used.
const guestUnused = 30 * 24 * time.Hour

const (
	// sweepEvery is how often a node looks for guests who are due.
	sweepEvery = time.Hour
	// sweepPage is how many of them one read brings: a store may have to go through
	// all guests for it.
	sweepPage = 4096
)

// Guest is a note to look after a user who began as a guest: one who is nothing
// more and whom nobody has used for long is swept.
type Guest struct {
	User UserID    `cbor:"1,keyasint"`
	Due  time.Time `cbor:"2,keyasint"`
}

// isGuest reports whether nothing but a device logs in as the user.
func (u *User) isGuest() bool {
	return len(u.Links) == 0 && u.Mobile == "" && u.Email == "" && !u.hasPassword()
}

// sweepGuests erases the guests whom nobody has used for long. Every node does so;
// who comes second finds nothing.
func (n *Node) sweepGuests(ctx context.Context) error {
	for {
		now := n.now()
		var due []Guest
		err := n.store.View(ctx, func(tx Tx) (err error) {
			due, err = tx.Guests(now, sweepPage)
			return err
		})
		swept := 0
		for i := range due { // one that cannot be read keeps nobody else from their turn
			one := n.update(ctx, func(tx Tx) ([]Event, error) { return n.sweepGuest(tx, due[i].User, now) })
			if err = errors.Join(err, one); one == nil {
				swept++
			}
		}
		if swept == 0 || swept == len(due) && len(due) < sweepPage {
			return err
		}
	}
}

// sweepGuest erases a guest unless there is a session, which is put off until that
// has ended. Whoever is more than a guest is left alone. Nothing is kept of guests
// that are gone: an older copy of the store brings them back until they are due.
func (n *Node) sweepGuest(tx Tx, id UserID, now time.Time) ([]Event, error) {
	u, err := tx.User(id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if err != nil || !u.isGuest() {
		tx.DeleteGuest(id)
		return nil, nil
	}
	if u.Disabled { // the ban is to be remembered
		tx.PutGuest(Guest{User: id, Due: now.Add(guestUnused)})
		return nil, nil
	}
	refs, err := tx.Sessions(id)
	if err != nil {
		return nil, err
	}
	var last time.Time
	for _, r := range refs {
		if r.Expires.After(last) {
			last = r.Expires
		}
	}
	if due := last.Add(guestUnused); now.Before(due) {
		tx.PutGuest(Guest{User: id, Due: due})
		return nil, nil
	}
	return erase(tx, n.keys.Ring(), u, now)
}

// sweep is sweepGuests as the node does it for itself.
func (n *Node) sweep() {
	ctx, cancel := context.WithTimeout(n.ctx, sweepEvery)
	defer cancel()
	err := n.sweepGuests(ctx)
	if err != nil && !errors.Is(err, ErrUnavailable) && n.ctx.Err() == nil {
		n.onFault(fmt.Errorf("sweep guests: %w", err))
	}
}
