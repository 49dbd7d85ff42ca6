package badgerstore

import "github.com/qqauth/qqauth/authcore"

// UserByHandle implements [authcore.Tx]. It follows the record only if its mirror
// agrees and the user is there.
func (t *tx) UserByHandle(h authcore.HandleHash) (authcore.User, error) {
	key := kindHandle.hash(h)
	id, err := t.pair(key)
	if err != nil {
		return authcore.User{}, err
	}
	return t.owner(key, authcore.UserID(id))
}

// PutHandle implements [authcore.Tx].
func (t *tx) PutHandle(h authcore.HandleHash, id authcore.UserID) {
	t.setPair(entry{key: kindHandle.hash(h), plain: []byte(id)})
}

// DeleteHandle implements [authcore.Tx].
func (t *tx) DeleteHandle(h authcore.HandleHash) {
	t.deletePair(kindHandle.hash(h))
	t.noteResidue()
}

// DeleteUser implements [authcore.Tx].
func (t *tx) DeleteUser(id authcore.UserID) {
	t.delete(kindUser.key(string(id)))
	t.delete(kindGuest.key(string(id)))
	t.noteResidue()
}

// Erased implements [authcore.Tx].
func (t *tx) Erased(h authcore.ErasedHash) (authcore.Erased, error) {
	var e authcore.Erased
	err := t.loadPair(kindErased.hash(h), &e)
	return e, err
}

// PutErased implements [authcore.Tx].
func (t *tx) PutErased(e authcore.Erased) { t.savePair(kindErased.hash(e.Hash), e, 0) }
