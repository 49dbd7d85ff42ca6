package badgerstore

import (
	"bytes"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/record"
)

var errReadOnly = errors.New("write in a read-only transaction")

// entry is a write that waits for its batch, not sealed yet.
type entry struct {
	key     []byte
	plain   []byte // nil deletes
	expires uint64 // Unix seconds by Badger's clock, 0 never
}

// tx is one run of one function given to View or Update.
type tx struct {
	store *Store
	txn   *badger.Txn
	// own are the writes of this run, batch those of the updates before it in the
	// same batch, and seen what any of them has read. All are nil in a View.
	own, batch, seen map[string]entry
	// fault is the first damage met or the first write that cannot be done. It
	// refuses the transaction even if the function goes on in spite of it.
	fault error
	// version is Badger's of the last record read, and last what Session found.
	version uint64
	last    struct {
		token authcore.TokenHash
		user  authcore.UserID
		stamp authcore.Stamp
	}
}

// call runs fn on t.
func (s *Store) call(t *tx, fn func(authcore.Tx) error) error {
	err := authcore.Call(t, fn)
	var p *authcore.PanicError
	if errors.As(err, &p) {
		s.log.Error("panic in a transaction", zap.String("panic", p.What), zap.ByteString("stack", p.Stack))
	}
	if err != nil {
		return err
	}
	return t.fault
}

// get returns the plain record at key and its expiry, or ErrNotFound.
func (t *tx) get(key []byte) (plain []byte, expires uint64, err error) {
	for _, m := range []map[string]entry{t.own, t.batch, t.seen} {
		if e, ok := m[string(key)]; ok {
			if e.plain == nil {
				return nil, 0, authcore.ErrNotFound
			}
			return e.plain, e.expires, nil
		}
	}
	plain, expires, err = t.read(key)
	if t.seen != nil && (err == nil || errors.Is(err, authcore.ErrNotFound)) {
		t.seen[string(key)] = entry{plain: plain, expires: expires}
	}
	return plain, expires, t.keep(err)
}

// keep remembers an error that refuses the transaction.
func (t *tx) keep(err error) error {
	if err != nil && t.fault == nil && !errors.Is(err, authcore.ErrNotFound) {
		t.fault = err
	}
	return err
}

// read reads the record at key from Badger and opens it.
func (t *tx) read(key []byte) (plain []byte, expires uint64, err error) {
	err = t.visit(key, func(item *badger.Item) error {
		expires, t.version = item.ExpiresAt(), item.Version()
		return item.Value(func(value []byte) (err error) {
			plain, err = t.store.open(key, value)
			return err
		})
	})
	if err != nil {
		return nil, 0, err
	}
	return plain, expires, nil
}

// visit hands fn what Badger has at key. Badger panics on some damaged blocks,
// and a disk that cannot be read is a fault in its memory maps.
func (t *tx) visit(key []byte, fn func(*badger.Item) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			err = t.store.damaged(key, "cannot be read")
		}
	}()
	item, err := t.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return authcore.ErrNotFound
	}
	if err == nil {
		err = fn(item)
	}
	if err != nil && !errors.Is(err, authcore.ErrDamaged) {
		// Not wrapped: Badger's text holds the key.
		err = fmt.Errorf("%w: a record of kind %#x cannot be read", authcore.ErrUnavailable, key[0])
	}
	return err
}

// pair is get for a record that is written twice, of which neither is believed
// without the other.
func (t *tx) pair(key []byte) ([]byte, error) {
	first, expires, err := t.get(key)
	if err != nil && !errors.Is(err, authcore.ErrNotFound) {
		return nil, err
	}
	second, _, err2 := t.get(mirror(key))
	switch {
	case err2 != nil && !errors.Is(err2, authcore.ErrNotFound):
		return nil, err2
	case err != nil && err2 != nil:
		return nil, authcore.ErrNotFound
	case err2 != nil && past(expires):
		return nil, authcore.ErrNotFound // it went between the two reads
	case err != nil || err2 != nil:
		return nil, t.keep(t.store.damaged(key, "is without its mirror"))
	case !bytes.Equal(second, reflection(key, first)):
		return nil, t.keep(t.store.damaged(key, "differs from its mirror"))
	}
	return first, nil
}

// past reports whether Badger drops what expires then.
func past(expires uint64) bool {
	return expires != 0 && expires <= uint64(time.Now().Unix())
}

// decode fills v from a record.
func (t *tx) decode(key, plain []byte, v any) error {
	if err := record.Decode(plain, v); err != nil {
		return t.keep(t.store.damaged(key, "cannot be decoded"))
	}
	return nil
}

// load is get and decode.
func (t *tx) load(key []byte, v any) error {
	plain, _, err := t.get(key)
	if err != nil {
		return err
	}
	return t.decode(key, plain, v)
}

// loadPair is pair and decode.
func (t *tx) loadPair(key []byte, v any) error {
	plain, err := t.pair(key)
	if err != nil {
		return err
	}
	return t.decode(key, plain, v)
}

// set takes a write of the function.
func (t *tx) set(e entry) {
	switch {
	case t.own == nil:
		t.keep(errReadOnly)
	case len(e.plain) > maxRecord:
		t.keep(errTooLarge)
	default:
		t.own[string(e.key)] = e
	}
}

func (t *tx) delete(key []byte) { t.set(entry{key: key}) }

// deletePair is delete for a record that is written twice.
func (t *tx) deletePair(key []byte) {
	t.delete(key)
	t.delete(mirror(key))
}

// knownAbsent reports whether the transaction, or one before it in its batch, has
// found that there is no record at key, and none of them has written one since.
func (t *tx) knownAbsent(key []byte) bool {
	for _, m := range []map[string]entry{t.own, t.batch, t.seen} {
		if e, ok := m[string(key)]; ok {
			return e.plain == nil
		}
	}
	return false
}

// save writes v at key, to be collected when Badger's clock says expires; 0 means
// never.
func (t *tx) save(key []byte, v any, expires uint64) []byte {
	plain, err := record.Encode(v)
	if err != nil {
		t.keep(fmt.Errorf("encode a record of kind %#x: %w", key[0], err))
		return nil
	}
	t.set(entry{key: key, plain: plain, expires: expires})
	return plain
}

// savePair is save for a record that is written twice. Both go at one moment, or
// the one left over would be damage.
func (t *tx) savePair(key []byte, v any, expires uint64) {
	plain := t.save(key, v, expires)
	t.set(entry{key: mirror(key), plain: reflection(key, plain), expires: expires})
}

// setPair is set for a record that is written twice.
func (t *tx) setPair(e entry) {
	t.set(e)
	t.set(entry{key: mirror(e.key), plain: reflection(e.key, e.plain)})
}

// ttl turns an expiry by the injected clock into one by Badger's, which is the
// wall's.
func (s *Store) ttl(expiry time.Time) uint64 {
	if expiry.IsZero() {
		return 0
	}
	left := max(0, expiry.Sub(s.cfg.Now()))
	return uint64(time.Now().Add(left + grace).Unix())
}
