package badgerstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/y"
	"go.uber.org/zap"

	"github.com/qqauth/qqauth/authcore"
)

// What was deleted or overwritten is still in Badger's files: in its log until
// the memtable is full, and then in tables until each of them happens to be
// compacted. Once a day at most, and only if there is any such residue of a user,
// all files are therefore replaced.
const (
	// eraseAfter is how old residue gets before it is erased. The rest of the day
	// is for further tries.
	eraseAfter = 12 * time.Hour
	eraseEvery = time.Hour
	// logLimit is how long Badger may take to turn its log into a table.
	logLimit = time.Minute
)

var errResidue = errors.New("a long view has kept what was deleted")

// residue says since when the files have held what is no longer in the records,
// and when something was added to it last.
type residue struct {
	Since time.Time `cbor:"1,keyasint"`
	Last  time.Time `cbor:"2,keyasint"`
}

// noteResidue takes note that the transaction deletes or overwrites what was
// sealed of a user.
func (t *tx) noteResidue() {
	if t.own == nil {
		return // refused already
	}
	var r residue
	key := kindResidue.key("")
	if allowAbsent(t.load(key, &r)) != nil {
		return // refused already
	}
	r.Last = t.store.cfg.Now()
	if r.Since.IsZero() {
		r.Since = r.Last
	}
	t.save(key, r, 0)
}

// erase replaces the files if their residue is old enough.
func (s *Store) erase() {
	var r residue
	err := s.View(context.Background(), func(at authcore.Tx) error {
		return allowAbsent(at.(*tx).load(kindResidue.key(""), &r))
	})
	if err != nil || r.Since.IsZero() || s.cfg.Now().Before(r.Since.Add(eraseAfter)) {
		return
	}
	if err := s.eraseNow(); err != nil {
		s.log.Warn("what was deleted is still in the files of the store", zap.Time("since", r.Since), zap.Error(err))
	}
}

// eraseNow replaces the files, and makes sure that they hold nothing any more that
// was deleted before. Reads and writes go on meanwhile.
func (s *Store) eraseNow() error {
	begun, now := s.cfg.Now(), time.Now()
	if err := s.roomToFlatten(); err != nil {
		return err
	}
	for _, table := range s.db.Tables() {
		if err := s.touch(y.ParseKey(table.Left)); err != nil {
			return fmt.Errorf("touch a table: %w", err)
		}
	}
	last, err := s.rotate()
	if err != nil {
		return fmt.Errorf("rotate the log: %w", err)
	}
	if err := s.bringDown(); err != nil {
		return err
	}
	if err := s.lookForResidue(last, now); err != nil {
		return err
	}
	return s.upkeep(func(t *tx) error {
		var r residue
		key := kindResidue.key("")
		if err := allowAbsent(t.load(key, &r)); err != nil {
			return err
		}
		if r.Last.Before(begun) {
			t.delete(key)
			return nil
		}
		r.Since = begun
		t.save(key, r, 0)
		return nil
	})
}

// upkeep is UpdateVolatile for the store itself.
func (s *Store) upkeep(fn func(*tx) error) error {
	return s.submit(context.Background(), &op{
		fn:     func(at authcore.Tx) error { return fn(at.(*tx)) },
		upkeep: true, done: make(chan error, 1),
	})
}

// touch writes a record again as it is, or deletes it again: Badger then rewrites
// the tables that the key falls into, down to the last level.
func (s *Store) touch(key []byte) error {
	return s.upkeep(func(t *tx) error {
		plain, expires, err := t.get(key)
		if errors.Is(err, authcore.ErrNotFound) {
			t.delete(key)
			return nil
		}
		if err == nil {
			t.set(entry{key: key, plain: plain, expires: expires})
		}
		return err
	})
}

// rotate fills up the memtable, until Badger has written what was committed
// before as a table and removed its log. It returns the number of a transaction
// behind all of that.
func (s *Store) rotate() (last uint64, err error) {
	key := kindFiller.key("")
	fill := func() error {
		return s.upkeep(func(t *tx) error { t.set(entry{key: key, plain: make([]byte, maxRecord)}); return nil })
	}
	if err := fill(); err != nil {
		return 0, err
	}
	err = s.View(context.Background(), func(at authcore.Tx) error {
		t := at.(*tx)
		_, _, err := t.get(key)
		last = t.version
		return err
	})
	if err != nil {
		return 0, err
	}
	old, err := s.logs()
	if err != nil {
		return 0, err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(logLimit); ; {
		now, err := s.logs()
		if err != nil {
			return 0, err
		}
		if !slices.ContainsFunc(now, func(log string) bool { return slices.Contains(old, log) }) {
			return last, s.upkeep(func(t *tx) error { t.delete(key); return nil })
		}
		if len(now) > 0 && slices.Contains(old, slices.Max(now)) { // not full yet
			if err := fill(); err != nil {
				return 0, err
			}
			continue
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("a log is still there after %v", logLimit)
		}
		select {
		case <-tick.C:
		case <-s.stop:
			return 0, authcore.ErrUnavailable
		}
	}
}

// bringDown compacts the tables of level 0 into another one. Badger leaves one or
// two alone where there are no others, as in a small store, so it is given more.
func (s *Store) bringDown() error {
	young := s.young()
	for try := 0; ; try++ {
		if err := s.flatten(); err != nil {
			return err
		}
		left := s.young()
		if !slices.ContainsFunc(young, func(id uint64) bool { return slices.Contains(left, id) }) {
			return nil
		}
		if try == 4 {
			return errors.New("badger does not compact level 0")
		}
		if _, err := s.rotate(); err != nil {
			return fmt.Errorf("rotate the log: %w", err)
		}
	}
}

// young lists the tables of level 0.
func (s *Store) young() (ids []uint64) {
	for _, t := range s.db.Tables() {
		if t.Level == 0 {
			ids = append(ids, t.ID)
		}
	}
	return ids
}

// logs lists Badger's logs.
func (s *Store) logs() ([]string, error) { return filepath.Glob(filepath.Join(s.cfg.Dir, "*.mem")) }

// lookForResidue goes through all versions of all records and answers errResidue
// if one is left that had been deleted or overwritten when the transaction with
// the given number was the last one, or that had expired by now.
func (s *Store) lookForResidue(last uint64, now time.Time) error {
	return guard(func() error {
		txn := s.db.NewTransaction(false)
		defer txn.Discard()
		it := txn.NewIterator(badger.IteratorOptions{AllVersions: true})
		defer it.Close()
		var current []byte // whose version of that time has been met
		for it.Rewind(); it.Valid(); it.Next() {
			item := it.Item()
			if item.Version() > last {
				continue
			}
			expires := item.ExpiresAt()
			deleted := expires == 0 && item.IsDeletedOrExpired()
			expired := expires != 0 && expires <= uint64(now.Unix())
			if expired || !deleted && bytes.Equal(item.Key(), current) {
				return errResidue
			}
			current = item.KeyCopy(current)
		}
		return nil
	})
}
