package badgerstore

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/qqauth/qqauth/authcore"
)

// traces are the sealed bytes of every record of some kinds, as they are now.
func traces(t *testing.T, s *Store, kinds ...kind) (found [][]byte) {
	t.Helper()
	err := s.db.View(func(txn *badger.Txn) error {
		for _, k := range kinds {
			it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{byte(k)}})
			defer it.Close()
			for it.Rewind(); it.Valid(); it.Next() {
				value, err := it.Item().ValueCopy(nil)
				if err != nil {
					return err
				}
				found = append(found, value[1:])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// inFiles counts the traces that the files of the store hold.
func inFiles(t *testing.T, dir string, traces [][]byte) (n int) {
	t.Helper()
	var all []byte
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // replaced meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, bytes.TrimRight(data, "\x00")...)
	}
	for _, trace := range traces {
		if bytes.Contains(all, trace) {
			n++
		}
	}
	return n
}

// personal are the kinds of records that tell of a user.
var personal = []kind{kindUser, kindLink, kindHandle, kindSession, kindList, kindPending}

// register makes user i with all that is personal.
func register(tx authcore.Tx, i int) (remove func(authcore.Tx)) {
	l := authcore.Link{Identity: identity(i), App: "101", OpenID: "OPENID"}
	handle := authcore.HandleHash(tokenHash("handle", i))
	live := aSession(i)
	live.IP = "192.0.2.1"
	p := authcore.Pending{ID: authcore.PendingID(userID(i)), Identity: identity(i), OpenID: "OPENID", Expires: live.Expires}
	tx.PutUser(authcore.User{ID: userID(i), Created: live.Issued, Mobile: "+86-15201657321", Links: []authcore.Link{l}})
	tx.PutLink(l, userID(i))
	tx.PutHandle(handle, userID(i))
	tx.PutSession(live)
	tx.PutPending(p)
	return func(tx authcore.Tx) {
		tx.DeleteLink(l, userID(i))
		tx.DeleteHandle(handle)
		tx.DeleteSession(userID(i), authcore.SessionRef{ID: live.ID, Token: live.Token})
		tx.DeletePending(p.Identity, p.ID)
		tx.DeleteUser(userID(i))
	}
}

func mustUpdate(t *testing.T, s *Store, fn func(authcore.Tx)) {
	t.Helper()
	if err := s.Update(t.Context(), func(tx authcore.Tx) error { fn(tx); return nil }); err != nil {
		t.Fatalf("update: %v", err)
	}
}

// residueOf reads the store's own note of residue.
func residueOf(t *testing.T, s *Store) (r residue) {
	t.Helper()
	err := s.View(t.Context(), func(tx authcore.Tx) error {
		return allowAbsent(rawTx(tx).load(kindResidue.key(""), &r))
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What was deleted or overwritten is gone from every file, wherever Badger had
// it: in the log, in young tables, or in the last level.
func TestErase(t *testing.T) {
	for _, where := range []string{"log", "table", "last level"} {
		t.Run(where, func(t *testing.T) {
			dir := t.TempDir()
			s := openIn(t, dir)
			fill(t, s)
			var remove func(authcore.Tx)
			mustUpdate(t, s, func(tx authcore.Tx) { remove = register(tx, logins) })
			gone := traces(t, s, personal...)
			switch where {
			case "table":
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = openIn(t, dir)
			case "last level":
				if err := s.eraseNow(); err != nil {
					t.Fatal(err)
				}
			}
			mustUpdate(t, s, remove)
			mustUpdate(t, s, func(tx authcore.Tx) {
				for i := range logins {
					u, err := tx.User(userID(i))
					if err != nil {
						t.Errorf("User: %v", err)
					}
					u.DisplayName = "another"
					tx.PutUser(u)
				}
			})
			kept := traces(t, s, personal...)
			gone = without(gone, kept)
			if n := inFiles(t, dir, gone); n < logins {
				t.Fatalf("the files hold %d of %d records that are gone, want most of them", n, len(gone))
			}
			if err := s.eraseNow(); err != nil {
				t.Fatalf("erase: %v", err)
			}
			if n := inFiles(t, dir, gone); n != 0 {
				t.Errorf("the files still hold %d of %d records that are gone", n, len(gone))
			}
			for range 2 {
				for i := range logins {
					if got := look(s, i); got != "linked" || alive(s, i) != (i%2 == 0) {
						t.Fatalf("user %d is %s, alive %v", i, got, alive(s, i))
					}
				}
				if got := look(s, logins); got != "unknown" {
					t.Errorf("the user who was erased is %s", got)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = openIn(t, dir)
			}
		})
	}
}

// without leaves out the traces that are among others.
func without(traces, others [][]byte) (left [][]byte) {
	has := make(map[string]bool)
	for _, o := range others {
		has[string(o)] = true
	}
	for _, trace := range traces {
		if !has[string(trace)] {
			left = append(left, trace)
		}
	}
	return left
}

// A view that was there before may still read what was deleted. Then it is not
// said to be gone, and goes with the next try.
func TestEraseBesideALongView(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	var remove func(authcore.Tx)
	mustUpdate(t, s, func(tx authcore.Tx) { remove = register(tx, 0) })
	gone := traces(t, s, kindUser)
	for i := range 24 { // so that the user's table is one of several
		mustUpdate(t, s, func(tx authcore.Tx) {
			tx.PutUser(authcore.User{ID: userID(0) + authcore.UserID(strconv.Itoa(i)), DisplayName: strings.Repeat("x", maxRecord-1000)})
		})
	}
	err := s.View(t.Context(), func(at authcore.Tx) error {
		mustUpdate(t, s, remove)
		if err := s.eraseNow(); !errors.Is(err, errResidue) {
			t.Errorf("erase beside a view: got error %v, want that something is left", err)
		}
		_, err := at.User(userID(0))
		return err
	})
	if err != nil {
		t.Errorf("the view: %v", err)
	}
	if residueOf(t, s).Since.IsZero() {
		t.Error("the residue is forgotten")
	}
	if err := s.eraseNow(); err != nil {
		t.Errorf("erase after the view: %v", err)
	}
	if n := inFiles(t, dir, gone); n != 0 {
		t.Errorf("the files still hold %d records that are gone", n)
	}
	if r := residueOf(t, s); r != (residue{}) {
		t.Errorf("the residue is still noted: %+v", r)
	}
}

// Reads and writes go on while the files are replaced.
func TestEraseUnderLoad(t *testing.T) {
	s := openIn(t, t.TempDir())
	fill(t, s)
	ctx, stop := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			for i := w; ctx.Err() == nil; i = (i + 4) % logins {
				if err := logIn(s, i); err != nil {
					t.Errorf("log in: %v", err)
				}
				if got := look(s, i); got != "linked" {
					t.Errorf("user %d is %s", i, got)
				}
			}
		})
	}
	err := s.eraseNow()
	stop()
	workers.Wait()
	if err != nil {
		t.Errorf("erase: %v", err)
	}
}

// What is deleted while the files are replaced may be in the new ones, and is not
// forgotten.
func TestResidueOfMeanwhile(t *testing.T) {
	now := time.Now()
	var meanwhile func()
	s := openIn(t, t.TempDir(), func(c *Config) {
		c.Now = func() time.Time {
			at := now
			if do := meanwhile; do != nil {
				meanwhile, now = nil, now.Add(time.Second)
				do()
			}
			return at
		}
	})
	var remove func(authcore.Tx)
	mustUpdate(t, s, func(tx authcore.Tx) { remove = register(tx, 0) })
	begun := now
	meanwhile = func() { mustUpdate(t, s, remove) }
	for _, wanted := range []residue{{Since: begun, Last: now.Add(time.Second)}, {}} {
		if err := s.eraseNow(); err != nil {
			t.Fatalf("erase: %v", err)
		}
		if r := residueOf(t, s); !r.Since.Equal(wanted.Since) || !r.Last.Equal(wanted.Last) {
			t.Errorf("noted: %+v, want %+v", r, wanted)
		}
		now = now.Add(time.Second)
	}
}

// Each of the writes that take something of a user away leaves residue.
func TestWhatLeavesResidue(t *testing.T) {
	for name, remove := range map[string]func(authcore.Tx){
		"DeleteUser":      func(tx authcore.Tx) { tx.DeleteUser(userID(0)) },
		"DeleteLink":      func(tx authcore.Tx) { tx.DeleteLink(authcore.Link{Identity: identity(0)}, userID(0)) },
		"DeleteHandle":    func(tx authcore.Tx) { tx.DeleteHandle(authcore.HandleHash(tokenHash("handle", 0))) },
		"PutUser":         func(tx authcore.Tx) { tx.PutUser(authcore.User{ID: userID(0)}) },
		"User, PutUser":   func(tx authcore.Tx) { u, _ := tx.User(userID(0)); tx.PutUser(u) },
		"DeleteUser, new": func(tx authcore.Tx) { tx.DeleteUser(userID(0)); tx.PutUser(authcore.User{ID: userID(0)}) },
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			s := openIn(t, t.TempDir(), func(c *Config) { c.Now = func() time.Time { return now } })
			mustUpdate(t, s, func(tx authcore.Tx) {
				_, _ = tx.User(userID(0)) // who is new
				register(tx, 0)
			})
			mustUpdate(t, s, remove)
			first := now
			if r := residueOf(t, s); !r.Since.Equal(first) || !r.Last.Equal(first) {
				t.Errorf("noted: %+v", r)
			}
			now = now.Add(time.Hour)
			mustUpdate(t, s, func(tx authcore.Tx) { tx.DeleteUser(userID(0)) })
			if r := residueOf(t, s); !r.Since.Equal(first) || !r.Last.Equal(now) {
				t.Errorf("noted of the second time: %+v", r)
			}
		})
	}
}

// The files are replaced half a day after something was deleted, and not before,
// nor for users who are new, whether or not the store was closed in between.
func TestEraseIsDue(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	clock := func(c *Config) { c.Now = func() time.Time { return now } }
	s := openIn(t, dir, clock)
	var remove func(authcore.Tx)
	mustUpdate(t, s, func(tx authcore.Tx) {
		if _, err := tx.User(userID(0)); !errors.Is(err, authcore.ErrNotFound) {
			t.Errorf("User: %v", err)
		}
		remove = register(tx, 0)
	})
	if r := residueOf(t, s); r != (residue{}) {
		t.Errorf("a new user leaves residue: %+v", r)
	}
	gone := traces(t, s, kindUser)
	mustUpdate(t, s, remove)
	for _, step := range []struct {
		after time.Duration
		left  int
	}{{eraseAfter - time.Second, 1}, {time.Second, 0}} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		now = now.Add(step.after)
		s = openIn(t, dir, clock)
		s.erase()
		if n := inFiles(t, dir, gone); n != step.left {
			t.Errorf("after %v more the files hold %d records that are gone, want %d", step.after, n, step.left)
		}
	}
}

// A frozen store is written no more, but what was deleted before goes all the same.
func TestEraseFrozen(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	var remove func(authcore.Tx)
	mustUpdate(t, s, func(tx authcore.Tx) { remove = register(tx, 0) })
	gone := traces(t, s, kindUser)
	mustUpdate(t, s, remove)
	if err := errors.Join(s.Freeze(t.Context(), true), s.eraseNow()); err != nil {
		t.Fatal(err)
	}
	if n := inFiles(t, dir, gone); n != 0 {
		t.Errorf("the files still hold %d records that are gone", n)
	}
}
