package authcore

import (
	"context"
	"errors"
	"time"

	"github.com/qqauth/qqauth/authcore/token"
)

// Erased is what is kept of somebody who was erased, so that an older copy of the
// store cannot bring them back, and of a user name that was given up, so that it
// does not become another's.
type Erased struct {
	Hash ErasedHash `cbor:"1,keyasint"`
	At   time.Time  `cbor:"2,keyasint"`
}

// DeleteAccount erases a signed-in user whose login is fresh.
func (s *Service) DeleteAccount(ctx context.Context, client ClientID, caller Caller, session SessionID) error {
	var u User
	var ended []Event
	now := s.node.now()
	err := s.asUser(ctx, client, session, func(tx Tx, session Session, was User) (_ []Event, err error) {
		u = was
		if err = session.fresh(&u, now); err != nil {
			return nil, err
		}
		ring := s.node.keys.Ring()
		keepErased(tx, ring, &u, now)
		ended, err = erase(tx, ring, u, now)
		return ended, err
	})
	if err == nil {
		s.cfg.Audit(AuditEvent{Name: AuditUserErased, User: u.ID, Client: client, Addr: caller.Addr, Count: countSessions(ended)})
	}
	return err
}

// erase removes a user with all that is personal and every way in. The access
// tokens of QQ stay refused, because the user who logged in with them is gone.
func erase(tx Tx, ring *token.Ring, u User, now time.Time) ([]Event, error) {
	ended, err := endSessions(tx, &u, func(SessionRef) bool { return true })
	if err != nil {
		return nil, err
	}
	for _, l := range u.Links {
		tx.DeleteLink(l, u.ID)
		if err := leaveUnion(tx, ring, l, u.ID); err != nil {
			return nil, err
		}
	}
	for _, way := range []Way{WayPhone, WayEmail} {
		if err := dropHandle(tx, ring, &u, way); err != nil {
			return nil, err
		}
	}
	if err := giveUpName(tx, ring, &u, now); err != nil {
		return nil, err
	}
	if err := dropDevices(tx, ring, &u); err != nil {
		return nil, err
	}
	tx.DeleteUser(u.ID)
	return append(ended, Event{User: u.ID, Ended: true}), nil
}

// keepErased keeps what stands for a user who is erased and for each QQ account,
// so that an older copy of the store does not bring them back.
func keepErased(tx Tx, ring *token.Ring, u *User, now time.Time) {
	for _, l := range u.Links {
		tx.PutErased(Erased{Hash: ErasedHash(l.Identity), At: now})
	}
	tx.PutErased(Erased{Hash: erasedUser(ring, u.ID), At: now})
}

// erasedUser stands for a user who was erased.
func erasedUser(ring *token.Ring, id UserID) ErasedHash {
	return ErasedHash(ring.Index("erased", string(id)))
}

// dropHandle sees to it that a user's phone or address no longer finds the user.
func dropHandle(tx Tx, ring *token.Ring, u *User, way Way) error {
	value := u.contact(way)
	if value == "" {
		return nil
	}
	handle := handleOf(ring, way, value)
	owner, err := tx.UserByHandle(handle)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil && owner.ID == u.ID {
		tx.DeleteHandle(handle)
	}
	return err
}
