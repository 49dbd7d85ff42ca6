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
	token, expires, err := t.token(key)
	if err != nil {
		return authcore.Session{}, authcore.User{}, err
	}
	session, user, err := t.Session(token)
	if errors.Is(err, authcore.ErrNotFound) && !past(expires) {
		err = t.keep(t.store.damaged(key, "names a session that is absent"))
	}
	return session, user, err
}

// token reads the record at a session id's key.
func (t *tx) token(key []byte) (h authcore.TokenHash, expires uint64, err error) {
	plain, expires, err := t.get(key)
	if err == nil && copy(h[:], plain) != len(h) {
		err = t.keep(t.store.damaged(key, "cannot be decoded"))
	}
	return h, expires, err
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

// PutSession implements [authcore.Tx]. A session has one token: what its id
// named before goes, whether or not the caller retires it.
func (t *tx) PutSession(s authcore.Session) {
	idKey := kindSessionID.key(string(s.ID))
	if old, _, err := t.token(idKey); err == nil && old != s.Token {
		t.delete(kindSession.hash(old))
	}
	expires := t.store.ttl(s.Expires)
	t.save(kindSession.hash(s.Token), s, expires)
	t.set(entry{key: idKey, plain: s.Token[:], expires: expires})

	now := t.store.cfg.Now()
	t.editList(s.User, func(refs []authcore.SessionRef) []authcore.SessionRef {
		refs = slices.DeleteFunc(refs, func(r authcore.SessionRef) bool {
			return r.ID == s.ID || !now.Before(r.Expires)
		})
		return append(refs, authcore.SessionRef{
			ID: s.ID, Token: s.Token, Client: s.Client, Issued: s.Issued, Expires: s.Expires, Parent: s.Parent,
		})
	})
}

// DeleteSession implements [authcore.Tx]. A line may be older than the last
// refresh, so the token that the id names now goes too.
func (t *tx) DeleteSession(user authcore.UserID, ref authcore.SessionRef) {
	idKey := kindSessionID.key(string(ref.ID))
	if current, _, err := t.token(idKey); err == nil && current != ref.Token {
		t.delete(kindSession.hash(current))
	}
	t.delete(kindSession.hash(ref.Token))
	t.delete(idKey)
	t.editList(user, func(refs []authcore.SessionRef) []authcore.SessionRef {
		return slices.DeleteFunc(refs, func(r authcore.SessionRef) bool { return r.ID == ref.ID })
	})
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
		t.delete(key)
		t.delete(mirror(key))
		return
	}
	t.savePair(key, refs, t.store.ttl(latest(refs, func(r authcore.SessionRef) time.Time { return r.Expires })))
}

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
