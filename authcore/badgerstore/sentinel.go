package badgerstore

import (
	"fmt"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/record"
)

// storeID names a store for its life. It is no secret.
type storeID [16]byte

// sentinel is rewritten by every batch. Where the log or a table was lost, it is
// older than the MARK beside the database.
type sentinel struct {
	Store    storeID `cbor:"1,keyasint"`
	Schema   byte    `cbor:"2,keyasint"`
	Sequence uint64  `cbor:"3,keyasint"`
	Frozen   bool    `cbor:"4,keyasint,omitempty"`
}

func (s *Store) sentinelEntry(seq uint64, frozen bool) (entry, error) {
	plain, err := record.Encode(sentinel{Store: s.id, Schema: schema, Sequence: seq, Frozen: frozen})
	return entry{key: kindSentinel.key(""), plain: plain}, err
}

// sentinel reads the sentinel, or answers ErrNotFound.
func (t *tx) sentinel() (sentinel, error) {
	var got sentinel
	if err := t.load(kindSentinel.key(""), &got); err != nil {
		return sentinel{}, err
	}
	if got.Schema != schema {
		return sentinel{}, fmt.Errorf("%w: schema %d is not known to this version", authcore.ErrUnavailable, got.Schema)
	}
	return got, nil
}
