package badgerstore

import (
	"errors"
	"slices"

	"github.com/qqauth/qqauth/authcore"
)

// Login implements [authcore.Tx].
func (t *tx) Login(q authcore.LoginQuery) (authcore.LoginRecord, error) {
	var r authcore.LoginRecord
	if q.Access != (authcore.AccessHash{}) {
		err := t.loadPair(kindAccess.hash(q.Access), &r.Access)
		if err != nil && !errors.Is(err, authcore.ErrNotFound) {
			return authcore.LoginRecord{}, err
		}
		r.Seen = err == nil
	}
	user, err := t.UserByIdentity(q.Identity)
	if errors.Is(err, authcore.ErrNotFound) {
		return r, nil
	}
	if err != nil {
		return authcore.LoginRecord{}, err
	}
	if r.Sessions, err = t.Sessions(user.ID); err != nil {
		return authcore.LoginRecord{}, err
	}
	r.Linked, r.User = true, user
	return r, nil
}

// UserByIdentity implements [authcore.Tx]. It follows the link only if both its
// records, the user and the user's own word agree.
func (t *tx) UserByIdentity(h authcore.IdentityHash) (authcore.User, error) {
	key := kindLink.hash(h)
	id, err := t.pair(key)
	if err != nil {
		return authcore.User{}, err
	}
	user, err := t.owner(key, authcore.UserID(id))
	if err != nil {
		return authcore.User{}, err
	}
	if !slices.ContainsFunc(user.Links, func(l authcore.Link) bool { return l.Identity == h }) {
		return authcore.User{}, t.keep(t.store.damaged(key, "names a user that does not name it"))
	}
	return user, nil
}

// owner reads the user that the record at key belongs to, who must exist.
func (t *tx) owner(key []byte, id authcore.UserID) (authcore.User, error) {
	user, err := t.User(id)
	if errors.Is(err, authcore.ErrNotFound) {
		return authcore.User{}, t.keep(t.store.damaged(key, "names a user that is absent"))
	}
	return user, err
}

// User implements [authcore.Tx].
func (t *tx) User(id authcore.UserID) (authcore.User, error) {
	var user authcore.User
	key := kindUser.key(string(id))
	if err := t.load(key, &user); err != nil {
		return authcore.User{}, err
	}
	return user, nil
}

// PutUser implements [authcore.Tx].
func (t *tx) PutUser(u authcore.User) {
	key := kindUser.key(string(u.ID))
	if !t.knownAbsent(key) {
		t.noteResidue()
	}
	t.save(key, u, 0)
}

// PutLink implements [authcore.Tx].
func (t *tx) PutLink(l authcore.Link, id authcore.UserID) {
	t.setPair(entry{key: kindLink.hash(l.Identity), plain: []byte(id)})
}

// DeleteLink implements [authcore.Tx]. It leaves a link to another user alone.
func (t *tx) DeleteLink(l authcore.Link, id authcore.UserID) {
	key := kindLink.hash(l.Identity)
	if owner, err := t.pair(key); err != nil || authcore.UserID(owner) != id {
		return // or refused already
	}
	t.deletePair(key)
	t.noteResidue()
}

// PutAccess implements [authcore.Tx].
func (t *tx) PutAccess(h authcore.AccessHash, a authcore.Access) {
	t.savePair(kindAccess.hash(h), a, t.store.ttl(a.Expires))
}

// Union implements [authcore.Tx].
func (t *tx) Union(h authcore.UnionHash) ([]authcore.UnionMember, error) {
	var members []authcore.UnionMember
	err := t.loadPair(kindUnion.hash(h), &members)
	return members, allowAbsent(err)
}

// PutUnion implements [authcore.Tx].
func (t *tx) PutUnion(h authcore.UnionHash, members []authcore.UnionMember) {
	t.savePair(kindUnion.hash(h), members, 0)
}

// Ring implements [authcore.Tx].
func (t *tx) Ring() ([]byte, error) {
	ring, err := t.pair(kindRing.key(""))
	return append([]byte{}, ring...), err
}

// PutRing implements [authcore.Tx].
func (t *tx) PutRing(ring []byte) {
	t.setPair(entry{key: kindRing.key(""), plain: append([]byte{}, ring...)})
}

// Announce implements [authcore.Tx]. The store has one node, which knows.
func (t *tx) Announce(...authcore.Event) {}

// allowAbsent is for lists, of which an absent one is an empty one.
func allowAbsent(err error) error {
	if errors.Is(err, authcore.ErrNotFound) {
		return nil
	}
	return err
}
