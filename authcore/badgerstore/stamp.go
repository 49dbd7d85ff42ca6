package badgerstore

import (
	"errors"

	"github.com/dgraph-io/badger/v4"

	"github.com/qqauth/qqauth/authcore"
)

var errNoView = errors.New("stamp asked for outside a view")

// Stamp implements [authcore.Stamped] by the numbers of the transactions that
// wrote the records. They only grow, over the life of the store: Badger counts on
// from the newest number that it finds, and every batch leaves its own in the
// sentinel. It does not open the records, so it meets no damage inside them.
func (t *tx) Stamp(h authcore.TokenHash, user authcore.UserID) (stamp authcore.Stamp, err error) {
	if t.own != nil {
		return authcore.Stamp{}, errNoView // the writes of this batch have no number yet
	}
	if t.last.token == h && t.last.user == user {
		return t.last.stamp, nil // read a moment ago
	}
	for i, key := range [...][]byte{kindSession.hash(h), kindUser.key(string(user))} {
		err := t.visit(key, func(item *badger.Item) error {
			stamp[i] = item.Version()
			return nil
		})
		if err != nil {
			return authcore.Stamp{}, t.keep(err)
		}
	}
	return stamp, nil
}

var _ authcore.Stamped = (*tx)(nil)
