package badgerstore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"

	"github.com/qqauth/qqauth/authcore"
)

// linkPage is how many links or handles are followed with one pair of iterators.
const linkPage = 1000

var errNoPage = errors.New("page asked for outside a view")

// UsersAfter implements [authcore.Archive]. The page that ends the users also
// follows every link and handle, which costs about as much as the users did: a
// compaction that met a damaged block before anybody looked for one has dropped
// what was in it, and then these alone still tell of the user.
func (t *tx) UsersAfter(after authcore.UserID, limit int) ([]authcore.User, error) {
	users, err := listing(t, kindUser, string(after), limit, func(id string) (authcore.User, error) {
		return t.User(authcore.UserID(id))
	})
	if err == nil && len(users) < limit {
		err = follow(t, kindLink, t.UserByIdentity)
		if err == nil {
			err = follow(t, kindHandle, t.UserByHandle)
		}
	}
	if err != nil {
		return nil, err
	}
	return users, nil
}

// SessionsAfter implements [authcore.Archive]. It lists expired sessions as long
// as they are there, as do the others.
func (t *tx) SessionsAfter(after authcore.SessionID, limit int) ([]authcore.Session, error) {
	return listing(t, kindSessionID, string(after), limit, func(id string) (authcore.Session, error) {
		session, _, err := t.SessionByID(authcore.SessionID(id))
		return session, err
	})
}

// RetiredAfter implements [authcore.Archive].
func (t *tx) RetiredAfter(after authcore.TokenHash, limit int) ([]authcore.RetiredToken, error) {
	return listing(t, kindRetired, string(after[:]), limit, func(id string) (r authcore.RetiredToken, err error) {
		copy(r.Token[:], id)
		r.Retired, err = t.Retired(r.Token)
		return r, err
	})
}

// AccessesAfter implements [authcore.Archive].
func (t *tx) AccessesAfter(after authcore.AccessHash, limit int) ([]authcore.KnownAccess, error) {
	return listing(t, kindAccess, string(after[:]), limit, func(id string) (a authcore.KnownAccess, err error) {
		copy(a.Hash[:], id)
		err = t.loadPair(kindAccess.hash(a.Hash), &a.Access)
		return a, err
	})
}

// ErasedAfter implements [authcore.Archive].
func (t *tx) ErasedAfter(after authcore.ErasedHash, limit int) ([]authcore.Erased, error) {
	return listing(t, kindErased, string(after[:]), limit, func(id string) (authcore.Erased, error) {
		var h authcore.ErasedHash
		copy(h[:], id)
		return t.Erased(h)
	})
}

// listing is page for a listing that may not leave anything out. Badger's
// iterators pass over a damaged block as if nothing had been in it, so every
// table is checked: after the last page, because what has hidden a record from
// any of the pages is still there, and before the first one, because a
// compaction passes over damage too, and then there is none any more. Within
// sound tables every key is met, and a value that opens is the one that was
// written. A listing pays for two checks, however many its pages.
func listing[T any](t *tx, k kind, after string, limit int, load func(id string) (T, error)) ([]T, error) {
	if t.own != nil {
		return nil, errNoPage
	}
	if first := strings.Trim(after, "\x00") == ""; first {
		if err := t.store.checkOpenTables(); err != nil {
			return nil, t.keep(err)
		}
	}
	list, err := page(t, k, after, limit, load)
	if err == nil && len(list) < limit {
		err = t.keep(t.store.checkOpenTables())
	}
	if err != nil {
		return nil, err
	}
	return list, nil
}

// page loads up to limit records that come after the given id. It comes out
// short only where there are no more.
func page[T any](t *tx, k kind, after string, limit int, load func(id string) (T, error)) ([]T, error) {
	var list []T
	for more := true; more && len(list) < limit; {
		wanted := limit - len(list)
		found, err := t.keysAfter(k, after, wanted)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			after = string(e.key[1:])
			record, err := load(after)
			switch {
			case err == nil:
				list = append(list, record)
			case !errors.Is(err, authcore.ErrNotFound):
				return nil, err
			case !past(e.expires):
				return nil, t.keep(t.store.damaged(e.key, "is listed and absent"))
			}
		}
		more = len(found) == wanted
	}
	return list, nil
}

// keysAfter lists up to limit keys of a kind, with their expiry, that come after
// that of an id. One of two records that are written together is enough.
func (t *tx) keysAfter(k kind, after string, limit int) ([]entry, error) {
	found, err := t.iterate(k, after, limit)
	if err != nil || k >= kindSession {
		return found, err
	}
	mirrors, err := t.iterate(k|mirrored, after, limit)
	if err != nil {
		return nil, err
	}
	for _, m := range mirrors {
		m.key[0] = byte(k)
	}
	found = append(found, mirrors...)
	slices.SortStableFunc(found, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	found = slices.CompactFunc(found, func(a, b entry) bool { return bytes.Equal(a.key, b.key) })
	return found[:min(limit, len(found))], nil
}

// iterate is keysAfter for the keys that begin with k.
func (t *tx) iterate(k kind, after string, limit int) (found []entry, err error) {
	err = guard(func() error {
		it := t.txn.NewIterator(badger.IteratorOptions{Prefix: []byte{byte(k)}})
		defer it.Close()
		for it.Seek(append(k.key(after), 0)); it.Valid() && len(found) < limit; it.Next() {
			found = append(found, entry{key: it.Item().KeyCopy(nil), expires: it.Item().ExpiresAt()})
		}
		return nil
	})
	if err != nil {
		return nil, t.keep(t.store.damaged([]byte{byte(k)}, "cannot be read"))
	}
	return found, nil
}

// follow answers ErrDamaged if one of the records that name a user by a hash does
// not lead to the user.
func follow[H ~[32]byte](t *tx, k kind, find func(H) (authcore.User, error)) error {
	var h H
	for {
		checked, err := page(t, k, string(h[:]), linkPage, func(id string) (H, error) {
			copy(h[:], id)
			_, err := find(h)
			return h, err
		})
		if err != nil || len(checked) < linkPage {
			return err
		}
	}
}

// checkOpenTables checks the tables as Open does, and all of every one: with the
// blocks their indexes, which Badger trusts while it is open. A damaged one ends
// the service of the store; one that cannot be opened now does not.
func (s *Store) checkOpenTables() error {
	err := guard(s.readOpenTables)
	var errno syscall.Errno
	if errors.As(err, &errno) && !errors.Is(err, fs.ErrNotExist) {
		return unavailable("check the tables", err)
	}
	if err != nil {
		s.failReads(err)
	}
	return s.readable()
}

// readOpenTables reads every table, and those that a compaction puts in their
// place meanwhile.
func (s *Store) readOpenTables() error {
	read := make(map[uint64]bool)
	for {
		listed := make(map[uint64]bool)
		for _, info := range s.db.Tables() {
			if !read[info.ID] {
				listed[info.ID] = true
			}
		}
		if len(listed) == 0 {
			return nil
		}
		if err := s.readTables(listed, read); err != nil {
			return err
		}
	}
}

// readTables reads those of the listed tables that are still in use, and marks
// them as read.
func (s *Store) readTables(listed, read map[uint64]bool) error {
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	// It holds the files, which Badger would empty under our reading, of what was
	// in use when it was made: of all that is listed before and after.
	hold := txn.NewIterator(badger.IteratorOptions{})
	defer hold.Close()
	for _, info := range s.db.Tables() {
		if !listed[info.ID] {
			continue
		}
		err := checkTable(table.NewFilename(info.ID, s.cfg.Dir), info.ID, options.None, true)
		if err != nil {
			return fmt.Errorf("table %d: %w", info.ID, err)
		}
		read[info.ID] = true
	}
	return nil
}

var _ authcore.Archive = (*tx)(nil)
