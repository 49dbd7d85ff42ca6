package badgerstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

func usersIn(s *Store) (int, error) {
	return pages(s, authcore.Archive.UsersAfter, func(u authcore.User) authcore.UserID { return u.ID }, nil)
}

// sessionsIn does meanwhile after the first page.
func sessionsIn(s *Store, meanwhile func()) (int, error) {
	return pages(s, authcore.Archive.SessionsAfter, func(s authcore.Session) authcore.SessionID { return s.ID }, meanwhile)
}

func retiredIn(s *Store) (int, error) {
	return pages(s, authcore.Archive.RetiredAfter, func(r authcore.RetiredToken) authcore.TokenHash { return r.Token }, nil)
}

func accessesIn(s *Store) (int, error) {
	return pages(s, authcore.Archive.AccessesAfter, func(a authcore.KnownAccess) authcore.AccessHash { return a.Hash }, nil)
}

// pages counts the records of one kind, 7 a page, and does meanwhile after the
// first.
func pages[K, R any](s *Store, next func(authcore.Archive, K, int) ([]R, error), key func(R) K, meanwhile func()) (n int, err error) {
	const limit = 7
	for after := *new(K); ; {
		var list []R
		err := s.View(context.Background(), func(tx authcore.Tx) (err error) {
			list, err = next(tx.(authcore.Archive), after, limit)
			return err
		})
		n += len(list)
		if err != nil || len(list) < limit {
			return n, err
		}
		if meanwhile != nil {
			meanwhile()
			meanwhile = nil
		}
		after = key(list[limit-1])
	}
}

// inTables opens a store again whose users are all in tables.
func inTables(t *testing.T) *Store {
	t.Helper()
	dir := t.TempDir()
	s := openIn(t, dir)
	fill(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return openIn(t, dir)
}

// overwrite writes over the largest table of an open store, at a place that is
// looked for in its content. The index of the table begins at index.
func overwrite(t *testing.T, s *Store, place func(data []byte, index int) int, with ...byte) {
	t.Helper()
	path := largest(t, s.cfg.Dir, "*.sst")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	index := len(data)
	for range 2 { // backwards, as checkFooter
		index -= 4
		index -= int(binary.BigEndian.Uint32(data[index:]))
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(with, int64(place(data, index)))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// sessionBlock begins a block among those of the session ids, of which only the
// first record has its whole key, and stands for it in the index.
var sessionBlock = []byte("\x41session-")

// hideBlock damages the last but one block of session ids in the length of its
// checksum, four bytes before the last one and its four bytes of header.
func hideBlock(t *testing.T, s *Store) {
	t.Helper()
	overwrite(t, s, func(data []byte, index int) int {
		return bytes.LastIndex(data[:index], sessionBlock) - 8
	}, 0xff, 0xff, 0xff, 0xff)
}

// misleadIndex gives a block of session ids another name in the index, where
// Badger looks for the block to begin a page with.
func misleadIndex(t *testing.T, s *Store) {
	t.Helper()
	overwrite(t, s, func(data []byte, index int) int {
		return index + bytes.LastIndex(data[index:], sessionBlock) + 1
	}, 'X')
}

func TestArchiveOfEverything(t *testing.T) {
	s := inTables(t)
	if n, err := usersIn(s); err != nil || n != logins {
		t.Errorf("got %d users, error %v", n, err)
	}
	if n, err := sessionsIn(s, nil); err != nil || n != logins/2 {
		t.Errorf("got %d sessions, error %v", n, err)
	}
	if n, err := retiredIn(s); err != nil || n != 0 {
		t.Errorf("got %d retired tokens, error %v", n, err)
	}
	if n, err := accessesIn(s); err != nil || n != 0 {
		t.Errorf("got %d access tokens, error %v", n, err)
	}
}

// An iterator that meets a damaged block says that there is no more: with no
// check of the tables, sessions would be left out without a word.
func TestArchiveOfDamagedTable(t *testing.T) {
	for name, damage := range map[string]func(*testing.T, *Store){
		"block":   hideBlock,
		"blocks":  func(_ *testing.T, s *Store) { damage(s, "blocks") },
		"index":   misleadIndex,
		"missing": func(t *testing.T, s *Store) { remove("*.sst")(t, s.cfg.Dir) },
	} {
		t.Run(name+", before", func(t *testing.T) {
			s := inTables(t)
			damage(t, s)
			n, err := sessionsIn(s, nil)
			if n > 0 || !errors.Is(err, authcore.ErrDamaged) {
				t.Errorf("got %d sessions, error %v, want ErrDamaged at once", n, err)
			}
			if s.Stats().Healthy {
				t.Error("Stats call it healthy")
			}
		})
		t.Run(name+", meanwhile", func(t *testing.T) {
			s := inTables(t)
			n, err := sessionsIn(s, func() { damage(t, s) })
			if !errors.Is(err, authcore.ErrDamaged) {
				t.Errorf("got %d sessions, error %v, want ErrDamaged", n, err)
			}
		})
	}
}

// Badger empties the files of tables that it has compacted, which must not pass
// for damage of one that is being checked.
func TestArchiveWhileCompacting(t *testing.T) {
	s := inTables(t)
	const writers, written = 64, 512 // of 4 KiB each: about 16 tables
	var workers sync.WaitGroup
	for w := range writers {
		workers.Go(func() {
			for range written {
				if err := s.UpdateVolatile(t.Context(), putUser(fmt.Sprint("user-busy-", w))); err != nil {
					t.Errorf("write a user: %v", err)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { defer close(done); workers.Wait() }()
	for again := true; again; {
		select {
		case <-done:
			again = false
		default:
		}
		if n, err := sessionsIn(s, nil); err != nil || n != logins/2 {
			t.Errorf("got %d sessions, error %v", n, err)
			again = false
		}
	}
	<-done
}

// A table that cannot be opened for want of something is no damage.
func TestArchiveWithoutFiles(t *testing.T) {
	s := inTables(t)
	path := largest(t, s.cfg.Dir, "*.sst")
	aside := filepath.Join(t.TempDir(), "table")
	if err := errors.Join(os.Rename(path, aside), os.Symlink(path, path)); err != nil {
		t.Fatal(err)
	}
	if n, err := usersIn(s); !errors.Is(err, authcore.ErrUnavailable) || errors.Is(err, authcore.ErrDamaged) {
		t.Errorf("got %d users, error %v, want ErrUnavailable", n, err)
	}
	if err := os.Rename(aside, path); err != nil {
		t.Fatal(err)
	}
	if n, err := usersIn(s); err != nil || n != logins {
		t.Errorf("afterwards: got %d users, error %v", n, err)
	}
}

// What a compaction has dropped is in no damaged table, but what belongs to it is
// still there.
func TestArchiveOfHalves(t *testing.T) {
	access := authcore.AccessHash{1}
	sessions := func(s *Store) (int, error) { return sessionsIn(s, nil) }
	for name, test := range map[string]struct {
		key  []byte
		list func(*Store) (int, error)
	}{
		"user":                {kindUser.key(string(userID(0))), usersIn},
		"link":                {kindLink.hash(identity(0)), usersIn},
		"mirror of a link":    {mirror(kindLink.hash(identity(0))), usersIn},
		"session":             {kindSession.hash(tokenHash("token", 0)), sessions},
		"user of a session":   {kindUser.key(string(userID(0))), sessions},
		"access":              {kindAccess.hash(access), accessesIn},
		"mirror of an access": {mirror(kindAccess.hash(access)), accessesIn},
	} {
		t.Run(name, func(t *testing.T) {
			s := openIn(t, t.TempDir())
			for i := range 10 {
				if err := logIn(s, i); err != nil {
					t.Fatal(err)
				}
			}
			err := s.Update(t.Context(), func(tx authcore.Tx) error {
				tx.PutAccess(access, authcore.Access{User: userID(0), Expires: time.Now().Add(time.Hour)})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if n, err := test.list(s); err != nil || n == 0 {
				t.Fatalf("whole: %d records, error %v", n, err)
			}
			if err := s.Update(t.Context(), func(tx authcore.Tx) error { rawTx(tx).delete(test.key); return nil }); err != nil {
				t.Fatal(err)
			}
			if n, err := test.list(s); !errors.Is(err, authcore.ErrDamaged) {
				t.Errorf("got %d records, error %v, want ErrDamaged", n, err)
			}
		})
	}
}

// A record that does not open ends the listing, whatever page it is on.
func TestArchiveOfDamagedRecord(t *testing.T) {
	s := openIn(t, t.TempDir())
	for i := range 20 {
		if err := logIn(s, i); err != nil {
			t.Fatal(err)
		}
	}
	txn := s.db.NewTransaction(true)
	defer txn.Discard()
	value := append([]byte{schema}, "sealed by nobody"...)
	if err := errors.Join(txn.Set(kindUser.key(string(userID(19))), value), txn.Commit()); err != nil {
		t.Fatal(err)
	}
	n, err := usersIn(s)
	if n != 7 || !errors.Is(err, authcore.ErrDamaged) {
		t.Errorf("got %d users, error %v, want ErrDamaged on the second page", n, err)
	}
}

// What expires between the listing of its key and its reading is no damage, and
// leaves no gap: a page that is not full would end the listing.
func TestArchiveOfExpired(t *testing.T) {
	s := openIn(t, t.TempDir())
	soon := uint64(time.Now().Add(2 * time.Second).Unix())
	err := s.Update(t.Context(), func(tx authcore.Tx) error {
		for i := range 20 {
			h := tokenHash("retired", i)
			tx.RetireToken(h, authcore.Retired{Session: "s", Expires: time.Now().Add(time.Hour)})
			if i%5 == 0 {
				e := rawTx(tx).own[string(kindRetired.hash(h))]
				e.expires = soon
				rawTx(tx).set(e)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(tx authcore.Tx) error {
		list, err := page(rawTx(tx), kindRetired, "", 16, func(id string) (authcore.Retired, error) {
			await(t, "the expiry", func() bool { return past(soon) })
			return tx.Retired(authcore.TokenHash([]byte(id)))
		})
		if err != nil || len(list) != 16 {
			t.Errorf("got %d retired tokens, error %v, want all that are left", len(list), err)
		}
		_, err = page(rawTx(tx), kindRetired, "", 16, func(string) (authcore.Retired, error) {
			return authcore.Retired{}, authcore.ErrNotFound
		})
		if !errors.Is(err, authcore.ErrDamaged) {
			t.Errorf("listed and not found: got error %v, want ErrDamaged", err)
		}
		return nil
	})
	if !errors.Is(err, authcore.ErrDamaged) {
		t.Errorf("View answers %v after damage", err)
	}
}

// The writes of a batch are in no table yet.
func TestArchiveInUpdate(t *testing.T) {
	s := openIn(t, t.TempDir())
	err := s.Update(t.Context(), func(tx authcore.Tx) error {
		_, err := tx.(authcore.Archive).UsersAfter("", 1)
		return err
	})
	if !errors.Is(err, errNoPage) {
		t.Errorf("got error %v, want errNoPage", err)
	}
}
