package badgerstore

import (
	"errors"
	"slices"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// Session implements [authcore.Tx].
func (t *tx) Session(h authcore.TokenHash) (authcore.Session, authcore.User, error) {
	var session authcore.Session
	key := kindSession.hash(h)
	if err := t.load(key, &session); err != nil {
		return authcore.Session{}, authcore.User{}, err
	}
	version := t.version
	user, err := t.owner(key, session.User)
	if err != nil {
		return authcore.Session{}, authcore.User{}, err
	}
	t.last.token, t.last.user, t.last.stamp = h, user.ID, authcore.Stamp{version, t.version}
	return session, user, nil
}

// SessionByID implements [authcore.Tx].
func (t *tx) SessionByID(id authcore.SessionID) (authcore.Session, authcore.User, error) {
	key := kindSessionID.key(string(id))
	now, expires, err := t.whereabouts(key)
	if err != nil {
		return authcore.Session{}, authcore.User{}, err
	}
	session, user, err := t.Session(now.token)
	if errors.Is(err, authcore.ErrNotFound) && !past(expires) {
		err = t.keep(t.store.damaged(key, "names a session that is absent"))
	}
	return session, user, err
}

// whereabouts is what the record at a session id's key holds.
type whereabouts struct {
	token  authcore.TokenHash
	device authcore.DeviceHash
}

func (w *whereabouts) plain() []byte {
	if w.device == (authcore.DeviceHash{}) {
		return w.token[:]
	}
	return slices.Concat(w.token[:], w.device[:])
}

func (t *tx) whereabouts(key []byte) (w whereabouts, expires uint64, err error) {
	plain, expires, err := t.get(key)
	if err != nil {
		return w, 0, err
	}
	if len(plain) != len(w.token) && len(plain) != len(w.token)+len(w.device) {
		return w, 0, t.keep(t.store.damaged(key, "cannot be decoded"))
	}
	copy(w.device[:], plain[copy(w.token[:], plain):])
	return w, expires, nil
}

// Retired implements [authcore.Tx].
func (t *tx) Retired(h authcore.TokenHash) (authcore.Retired, error) {
	var r authcore.Retired
	err := t.load(kindRetired.hash(h), &r)
	return r, err
}

// Sessions implements [authcore.Tx].
func (t *tx) Sessions(id authcore.UserID) ([]authcore.SessionRef, error) {
	var refs []authcore.SessionRef
	err := t.loadPair(kindList.key(string(id)), &refs)
	return refs, allowAbsent(err)
}

// SessionsAt implements [authcore.Tx].
func (t *tx) SessionsAt(client authcore.ClientID, device authcore.DeviceHash) ([]authcore.SessionRef, error) {
	var refs []authcore.SessionRef
	err := t.load(kindDevice.at(client, device), &refs)
	return refs, allowAbsent(err)
}

// PutSession implements [authcore.Tx]. A session has one token: what its id
// named before goes, whether or not the caller retires it.
func (t *tx) PutSession(s authcore.Session) {
	idKey := kindSessionID.key(string(s.ID))
	if old, _, err := t.whereabouts(idKey); err == nil && old.token != s.Token {
		t.delete(kindSession.hash(old.token))
	}
	expires := t.store.ttl(s.Expires)
	t.save(kindSession.hash(s.Token), s, expires)
	at := whereabouts{s.Token, s.Device}
	t.set(entry{key: idKey, plain: at.plain(), expires: expires})

	now := t.store.cfg.Now()
	t.editList(s.User, func(refs []authcore.SessionRef) []authcore.SessionRef {
		// As long as the session's own records are kept: whoever ends all sessions of
		// the list leaves none that names the user.
		refs = slices.DeleteFunc(refs, func(r authcore.SessionRef) bool {
			return r.ID == s.ID || now.After(r.Expires.Add(grace))
		})
		return append(refs, lineOf(&s))
	})
}

func lineOf(s *authcore.Session) authcore.SessionRef {
	return authcore.SessionRef{
		ID: s.ID, Token: s.Token, Client: s.Client, Issued: s.Issued, Expires: s.Expires, Parent: s.Parent,
	}
}

// ListSession implements [authcore.Tx].
func (t *tx) ListSession(s authcore.Session) {
	if s.Device == (authcore.DeviceHash{}) {
		return
	}
	now := t.store.cfg.Now()
	editLines(t, kindDevice.at(s.Client, s.Device), sessionExpiry, func(refs []authcore.SessionRef) []authcore.SessionRef {
		refs = slices.DeleteFunc(refs, func(r authcore.SessionRef) bool { return r.ID == s.ID || !now.Before(r.Expires) })
		refs = append(refs, lineOf(&s))
		slices.SortStableFunc(refs, func(a, b authcore.SessionRef) int { return a.Issued.Compare(b.Issued) })
		return refs[max(0, len(refs)-maxAtDevice):]
	})
}

// maxAtDevice is how many sessions of one client on one device are listed: the
// line of a session that is older is of no use.
const maxAtDevice = 8

// DeleteSession implements [authcore.Tx]. A line may be older than the last
// refresh, so the token that the id names now goes too.
func (t *tx) DeleteSession(user authcore.UserID, ref authcore.SessionRef) {
	is := func(r authcore.SessionRef) bool { return r.ID == ref.ID }
	without := func(refs []authcore.SessionRef) []authcore.SessionRef { return slices.DeleteFunc(refs, is) }
	idKey := kindSessionID.key(string(ref.ID))
	if now, _, err := t.whereabouts(idKey); err == nil {
		if now.token != ref.Token {
			t.delete(kindSession.hash(now.token))
		}
		if at, err := t.SessionsAt(ref.Client, now.device); err == nil && slices.ContainsFunc(at, is) {
			editLines(t, kindDevice.at(ref.Client, now.device), sessionExpiry, without)
		}
	}
	t.delete(kindSession.hash(ref.Token))
	t.delete(idKey)
	t.editList(user, without)
}

// RetireToken implements [authcore.Tx].
func (t *tx) RetireToken(h authcore.TokenHash, r authcore.Retired) {
	t.delete(kindSession.hash(h))
	t.save(kindRetired.hash(h), r, t.store.ttl(r.Expires))
}

// editList rewrites a user's list of sessions. It lives as long as its longest
// line.
func (t *tx) editList(user authcore.UserID, edit func([]authcore.SessionRef) []authcore.SessionRef) {
	refs, err := t.Sessions(user)
	if err != nil {
		return // refused already
	}
	key := kindList.key(string(user))
	if refs = edit(refs); len(refs) == 0 {
		t.deletePair(key)
		return
	}
	t.savePair(key, refs, t.store.ttl(latest(refs, sessionExpiry)))
}

// editLines rewrites a list that is written once: what nobody misses if it is
// gone. It lives as long as its longest line.
func editLines[T any](t *tx, key []byte, expiry func(T) time.Time, edit func([]T) []T) {
	var lines []T
	if allowAbsent(t.load(key, &lines)) != nil {
		return // refused already
	}
	if lines = edit(lines); len(lines) == 0 {
		t.delete(key)
		return
	}
	t.save(key, lines, t.store.ttl(latest(lines, expiry)))
}

func sessionExpiry(r authcore.SessionRef) time.Time { return r.Expires }

// latest is the latest expiry of a list's lines.
func latest[T any](list []T, expiry func(T) time.Time) time.Time {
	last := expiry(list[0])
	for _, line := range list[1:] {
		if e := expiry(line); e.After(last) {
			last = e
		}
	}
	return last
}
