package badgerstore

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// kind is the first byte of a key. What is written twice has its first record
// below 0x20 and its mirror at the same kind plus 0x80, with all the bulk in
// between, so that no damaged block takes both.
type kind byte

const (
	kindLink   kind = 0x10 // identity hash: user id
	kindAccess kind = 0x11 // access hash: Access
	kindUnion  kind = 0x12 // union hash: []UnionMember
	kindList   kind = 0x13 // user id: []SessionRef
	kindRing   kind = 0x14 // the wrapped key ring, the one value that is not sealed
	kindHandle kind = 0x15 // handle hash: user id
	kindErased kind = 0x16 // erased hash: Erased

	kindSession   kind = 0x40 // token hash: Session
	kindSessionID kind = 0x41 // session id: token hash, and the device's if there is one
	kindRetired   kind = 0x42 // token hash: Retired
	kindTicket    kind = 0x43 // token hash: Ticket
	kindPending   kind = 0x44 // pending id: Pending
	kindPendings  kind = 0x45 // identity hash: []PendingRef
	kindUser      kind = 0x46 // user id: User
	kindSentinel  kind = 0x47 // sentinel
	kindCode      kind = 0x48 // code hash: Code
	kindCaptcha   kind = 0x49 // token hash: Captcha
	kindCounter   kind = 0x4a // counter hash: Counter
	kindWaiting   kind = 0x4b // device hash, client: []PendingRef
	kindDevice    kind = 0x4c // device hash, client: []SessionRef
	kindOwn       kind = 0x4d // user id: []PendingRef
	kindResidue   kind = 0x4e // residue
	kindFiller    kind = 0x4f // nothing, in bulk
	kindGuest     kind = 0x50 // user id: Guest

	mirrored kind = 0x80
)

// loginState are the kinds that a store opened without its MARK drops: what
// could let somebody in whose log-out was lost.
var loginState = [][]byte{
	{byte(kindSession)}, {byte(kindSessionID)}, {byte(kindRetired)}, {byte(kindTicket)},
	{byte(kindPending)}, {byte(kindPendings)}, {byte(kindList)}, {byte(kindList | mirrored)},
	{byte(kindCode)}, {byte(kindCaptcha)}, {byte(kindWaiting)}, {byte(kindDevice)}, {byte(kindOwn)},
}

// schema is the version of keys and records. It is the first byte of every value
// and part of what the value is sealed for.
const schema byte = 1

// maxRecord bounds a record's encoding. Larger values would go to Badger's value
// log, which is kept empty so that it needs no garbage collection.
const maxRecord = 256 << 10

// grace is how much longer than its expiry Badger keeps a record. Badger drops
// up to a second early, by its own clock; the core decides by the record.
const grace = 10 * time.Minute

var errTooLarge = errors.New("record is too large for the store")

func (k kind) key(id string) []byte {
	key := make([]byte, 0, 1+len(id))
	return append(append(key, byte(k)), id...)
}

func (k kind) hash(h [32]byte) []byte {
	key := make([]byte, 0, 1+len(h))
	return append(append(key, byte(k)), h[:]...)
}

// at is a key for a client and a device. The device comes first, because it alone
// has a fixed length.
func (k kind) at(client authcore.ClientID, device authcore.DeviceHash) []byte {
	return append(k.hash(device), client...)
}

// mirror is the key of the second record of one that is written twice.
func mirror(key []byte) []byte {
	m := append([]byte(nil), key...)
	m[0] |= byte(mirrored)
	return m
}

// reflection is what the mirror of a record holds: a digest, which is enough to
// tell that the two were written together; for the ring, without which nothing
// else can be read, a second copy.
func reflection(key, plain []byte) []byte {
	if key[0] == byte(kindRing) {
		return plain
	}
	sum := sha256.Sum256(plain)
	return sum[:16]
}

// place is what a value is sealed for: nothing opens under another key or
// another schema.
func place(key []byte) []byte {
	return append(append(make([]byte, 0, 1+len(key)), schema), key...)
}

// sealed reports whether the value at key is: the ring cannot be, because it
// holds the keys.
func sealed(key []byte) bool { return kind(key[0])&^mirrored != kindRing }

func (s *Store) seal(key, plain []byte) []byte {
	value := plain
	if sealed(key) {
		value = s.cfg.Vault.Seal(plain, place(key))
	}
	return append([]byte{schema}, value...)
}

// open undoes seal, into new memory.
func (s *Store) open(key, value []byte) ([]byte, error) {
	if len(value) == 0 || value[0] != schema {
		return nil, s.damaged(key, "is of an unknown schema")
	}
	if !sealed(key) {
		return bytes.Clone(value[1:]), nil
	}
	plain, err := s.cfg.Vault.Open(value[1:], place(key))
	if err != nil {
		return nil, s.damaged(key, "does not open")
	}
	if plain == nil {
		plain = []byte{} // present, and empty
	}
	return plain, nil
}

// damaged is the error for a record that cannot be true. It names the kind
// alone: keys may lead to a user.
func (s *Store) damaged(key []byte, what string) error {
	s.damages.Add(1)
	return fmt.Errorf("%w: a record of kind %#x %s", authcore.ErrDamaged, key[0], what)
}
