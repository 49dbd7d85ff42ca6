package authcore

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// replaceWithin is how long after a refresh the old token may ask again, because
// the answer was lost.
const replaceWithin = 30 * time.Second

// newSessionID returns a public id with 128 random bits.
func newSessionID() SessionID {
	var b [16]byte
	rand.Read(b[:])
	return SessionID(base64.RawURLEncoding.EncodeToString(b[:]))
}

// device is the MAC that stands for a fingerprint; zero stands for none.
func (s *Service) device(fingerprint string) DeviceHash {
	if fingerprint == "" {
		return DeviceHash{}
	}
	return DeviceHash(s.node.keys.Ring().Index("device", fingerprint))
}

// address is an address as it is recorded; empty if there is none, as behind a
// unix socket.
func address(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}

// deviceIP is what a device says its address is, if it is one.
func deviceIP(s string) string {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return ""
	}
	return addr.WithZone("").String()
}

// cut bounds what a caller says of itself before it is recorded.
func cut(s string) string {
	const most = 128
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}

// sessionAt reads the session that a token is good for, which is not always the
// session's current one: a token that a game has exchanged goes on for a while. The
// time is when the token ends.
func sessionAt(tx Tx, hash TokenHash, now time.Time) (Session, User, time.Time, error) {
	s, u, err := tx.Session(hash)
	if !errors.Is(err, ErrNotFound) {
		return s, u, s.Expires, err
	}
	old, err := tx.Retired(hash)
	if err == nil && !now.Before(old.GoodUntil) {
		err = ErrNotFound
	}
	if err != nil {
		return Session{}, User{}, time.Time{}, err
	}
	s, u, err = tx.SessionByID(old.Session)
	if err == nil && s.Expires.Before(old.GoodUntil) {
		return s, u, s.Expires, nil
	}
	return s, u, old.GoodUntil, err
}

// readSession reads a session that lives, with its user and the time at which the
// token ends.
func readSession(tx Tx, hash TokenHash, now time.Time) (Session, User, time.Time, error) {
	s, u, ends, err := sessionAt(tx, hash, now)
	if errors.Is(err, ErrNotFound) || err == nil && !s.alive(&u, now) {
		err = ErrSession
	}
	return s, u, ends, err
}

// unproved reports whether the token came from a refresh whose answer may still
// be lost: its first use closes that door.
func (s *Session) unproved(now time.Time) bool {
	return s.Previous != (TokenHash{}) && !s.Used && now.Before(s.Issued.Add(replaceWithin))
}

// use reads a living session and notes its first use after a refresh. If clients
// are given, any other client's session does not exist. The stamp is of what was
// read, if the store has stamps and nothing had to be noted. ends is when the token
// does.
func (n *Node) use(ctx context.Context, hash TokenHash, now time.Time, clients ...ClientID) (s Session, u User, ends time.Time, stamp Stamp, err error) {
	err = n.store.View(ctx, func(tx Tx) (err error) {
		stamp = Stamp{}
		if s, u, ends, err = readSession(tx, hash, now); err != nil {
			return err
		}
		if stamped, ok := tx.(Stamped); ok && s.Token == hash {
			stamp, err = stamped.Stamp(hash, u.ID)
		}
		return err
	})
	if err == nil && len(clients) > 0 && !slices.Contains(clients, s.Client) {
		err = ErrSession
	}
	if err == nil && s.Token == hash && s.unproved(now) {
		stamp = Stamp{}
		err = n.update(ctx, func(tx Tx) (_ []Event, err error) {
			if s, u, ends, err = readSession(tx, hash, now); err != nil {
				return nil, err
			}
			s.Used = true
			s.noteUse(now)
			tx.PutSession(s)
			return nil, nil
		})
	}
	if err == nil && s.noteUse(now) {
		stamp = Stamp{}
		if last, err := n.writeUseOf(ctx, s.ID, now); err == nil {
			s.LastUse = last
		}
	}
	if err == nil || errors.Is(err, ErrSession) {
		n.answered(now)
	}
	return s, u, ends, stamp, err
}

// bindDevice checks the caller's device against the session's. A session whose
// login named none belongs to the first device that it is used with; changed
// says that the session has to be written.
func (s *Session) bindDevice(device DeviceHash) (changed, ok bool) {
	if s.Device == (DeviceHash{}) && device != (DeviceHash{}) {
		s.Device = device
		return true, true
	}
	return false, s.Device == device
}

// withChildren lists the sessions of refs that picked names, and all that were
// taken over from them.
func withChildren(refs []SessionRef, picked func(SessionRef) bool) []SessionRef {
	var out []SessionRef
	gone := make(map[SessionID]bool)
	for grown := true; grown; {
		grown = false
		for _, r := range refs {
			if gone[r.ID] || !picked(r) && (r.Parent == "" || !gone[r.Parent]) {
				continue
			}
			gone[r.ID], grown = true, true
			out = append(out, r)
		}
	}
	return out
}

// endOldest makes room for one more session of a user at a client. If sessions may
// not go unused for ever, those that did go first.
func endOldest(tx Tx, user UserID, client ClientID, refs []SessionRef, idles bool, now time.Time) ([]Event, error) {
	var here []SessionRef
	for _, r := range refs {
		if r.Client == client && now.Before(r.Expires) {
			here = append(here, r)
		}
	}
	if len(here) < sessionsPerClient {
		return nil, nil
	}
	slices.SortFunc(here, func(a, b SessionRef) int { return a.Issued.Compare(b.Issued) })
	surplus := here[:len(here)-sessionsPerClient+1]
	if idles {
		unused, err := unusedAmong(tx, here, now)
		if err != nil {
			return nil, err
		}
		if len(unused) > 0 {
			surplus = unused
		}
	}
	return deleteSessions(tx, user, withChildren(refs, func(r SessionRef) bool {
		return slices.ContainsFunc(surplus, func(s SessionRef) bool { return s.ID == r.ID })
	})), nil
}

// unusedAmong lists the sessions that have ended because nobody used them.
func unusedAmong(tx Tx, refs []SessionRef, now time.Time) (unused []SessionRef, err error) {
	for _, r := range refs {
		s, _, err := tx.SessionByID(r.ID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if err != nil || s.unused(now) {
			unused = append(unused, r)
		}
	}
	return unused, nil
}

func deleteSessions(tx Tx, user UserID, refs []SessionRef) []Event {
	var events []Event
	for _, r := range refs {
		tx.DeleteSession(user, r)
		events = append(events, Event{User: user, Session: r.ID, Ended: true})
	}
	return events
}

// endSession ends a session that was read, with all that hangs on it. It does
// not rely on the session's line in the list.
func endSession(tx Tx, u *User, s *Session) ([]Event, error) {
	self := SessionRef{ID: s.ID, Token: s.Token, Client: s.Client, Issued: s.Issued, Expires: s.Expires, Parent: s.Parent}
	return endSessions(tx, u, func(r SessionRef) bool { return r.ID == s.ID }, self)
}

// endSessions ends the picked sessions of a user, those of the list and more,
// with all that hangs on them: the sessions taken over from them and the user's
// state_tokens. Tickets need no hand: one is good only while its session lives.
func endSessions(tx Tx, u *User, picked func(SessionRef) bool, more ...SessionRef) ([]Event, error) {
	refs, err := tx.Sessions(u.ID)
	if err != nil {
		return nil, err
	}
	refs = append(slices.Clone(refs), more...)
	if err := deletePendings(tx, u); err != nil {
		return nil, err
	}
	return deleteSessions(tx, u.ID, withChildren(refs, picked)), nil
}

// deletePendings ends the logins of a user that are not finished: those of the
// user's QQ accounts, and those that are to link another.
func deletePendings(tx Tx, u *User) error {
	own, err := tx.PendingsOf(u.ID)
	if err != nil {
		return err
	}
	for _, r := range own {
		p, err := tx.Pending(r.ID)
		if errors.Is(err, ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		tx.DeletePending(p.Identity, p.ID)
	}
	for _, link := range u.Links {
		pendings, err := tx.Pendings(link.Identity)
		if err != nil {
			return err
		}
		for _, p := range pendings {
			tx.DeletePending(link.Identity, p.ID)
		}
	}
	return nil
}

// endAll ends all sessions of a user and makes QQ's access tokens that the user
// has logged in with worthless here. The raised epoch does both even if a record
// escapes the list. It returns the user as it is to be written.
func endAll(tx Tx, u User) (User, []Event, error) {
	events, err := endSessions(tx, &u, func(SessionRef) bool { return true })
	if err != nil {
		return u, nil, err
	}
	u.Epoch++
	tx.PutUser(u)
	return u, append(events, Event{User: u.ID, Ended: true}), nil
}
