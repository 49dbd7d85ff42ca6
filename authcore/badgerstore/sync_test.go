package badgerstore

import (
	"errors"
	"os"
	"sync/atomic"
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

// A durable update waits for the sync of its batch, a volatile one does not, and
// what is only volatile is not synced at all.
func TestSync(t *testing.T) {
	s := openIn(t, t.TempDir())
	var syncs atomic.Int32
	begun, proceed := make(chan struct{}), make(chan struct{})
	s.sync = func() error { syncs.Add(1); begun <- struct{}{}; <-proceed; return s.db.Sync() }

	if err := s.UpdateVolatile(t.Context(), putUser("alone")); err != nil {
		t.Fatal(err)
	}
	if n := syncs.Load(); n != 0 {
		t.Errorf("%d syncs for a volatile update, want 0", n)
	}

	release := hold(t, s)
	durable, volatile := make(chan error, 2), make(chan error, 1)
	for _, id := range []string{"a", "b"} {
		go func() { durable <- s.Update(t.Context(), putUser(id)) }()
	}
	go func() { volatile <- s.UpdateVolatile(t.Context(), putUser("c")) }()
	await(t, "the updates to queue", func() bool { return len(s.queue) == 3 })
	release()
	<-begun
	if err := <-volatile; err != nil {
		t.Errorf("volatile: %v", err)
	}
	if n := missing(t, s, []string{"a", "b", "c"}); n != 0 {
		t.Errorf("reading waits for the sync: %d records are missing", n)
	}
	select {
	case err := <-durable:
		t.Errorf("a durable update is answered before the sync: %v", err)
	default:
	}
	close(proceed)
	if err := errors.Join(<-durable, <-durable); err != nil {
		t.Errorf("durable: %v", err)
	}
	if n := syncs.Load(); n != 1 {
		t.Errorf("%d syncs for one batch, want 1", n)
	}
}

// A batch is decided while the one before is synced, on what that one wrote, and
// committed only after it.
func TestDecidesDuringSync(t *testing.T) {
	s := openIn(t, t.TempDir())
	begun, proceed := make(chan struct{}, 2), make(chan struct{})
	s.sync = func() error { begun <- struct{}{}; <-proceed; return s.db.Sync() }
	first, second := make(chan error, 1), make(chan error, 2)
	go func() { first <- s.Update(t.Context(), putUser("a")) }()
	<-begun

	decided := make(chan error, 1)
	go func() {
		second <- s.Update(t.Context(), func(tx authcore.Tx) error {
			_, err := tx.User("a")
			decided <- err
			tx.PutUser(authcore.User{ID: "b"})
			return err
		})
	}()
	if err := <-decided; err != nil {
		t.Errorf("reading what the last batch wrote: %v", err)
	}
	go func() { // as durable as what it saw
		second <- s.Update(t.Context(), func(tx authcore.Tx) error {
			_, err := tx.User("a")
			decided <- err
			return err
		})
	}()
	<-decided
	if n := missing(t, s, []string{"a", "b"}); n != 1 {
		t.Errorf("%d users are missing during the sync, want 1: the next batch's", n)
	}
	select {
	case err := <-first:
		t.Errorf("the first is answered before its sync: %v", err)
	case err := <-second:
		t.Errorf("the second is answered before the first: %v", err)
	default:
	}
	close(proceed)
	if err := errors.Join(<-first, <-second, <-second); err != nil {
		t.Error(err)
	}
}

// What was decided on a batch whose sync then fails fails with it, even if it
// would have written nothing.
func TestFailedSyncTakesTheNextBatch(t *testing.T) {
	s := openIn(t, t.TempDir())
	begun, proceed := make(chan struct{}, 2), make(chan struct{})
	s.sync = func() error { begun <- struct{}{}; <-proceed; return os.ErrInvalid }
	answers := make(chan error, 3)
	go func() { answers <- s.Update(t.Context(), putUser("a")) }()
	<-begun
	decided := make(chan struct{})
	for _, write := range []bool{true, false} {
		go func() {
			answers <- s.Update(t.Context(), func(tx authcore.Tx) error {
				if _, err := tx.User("a"); err != nil {
					t.Errorf("reading what the last batch wrote: %v", err)
				}
				if write {
					tx.PutUser(authcore.User{ID: "b"})
				}
				decided <- struct{}{}
				return nil
			})
		}()
		<-decided
	}
	close(proceed)
	for range cap(answers) {
		if err := <-answers; !errors.Is(err, authcore.ErrUnavailable) {
			t.Errorf("got error %v, want ErrUnavailable", err)
		}
	}
	if n := missing(t, s, []string{"b"}); n != 1 {
		t.Error("the next batch was committed")
	}
}

// After a failed sync nothing more is written, the sync is not tried again, and
// reading goes on.
func TestFailedSync(t *testing.T) {
	for _, test := range []struct {
		name string
		fail func() error
	}{
		{"error", func() error { return os.ErrInvalid }},
		{"panic", func() error { panic("badger") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := openIn(t, t.TempDir())
			if err := logIn(s, 0); err != nil {
				t.Fatal(err)
			}
			var syncs atomic.Int32
			s.sync = func() error { syncs.Add(1); return test.fail() }
			for name, err := range map[string]error{
				"first Update": logIn(s, 1), "Update": logIn(s, 1), "Writable": s.Writable(), "Ping": s.Ping(t.Context()),
				"UpdateVolatile": s.UpdateVolatile(t.Context(), putUser("u")),
			} {
				if !errors.Is(err, authcore.ErrUnavailable) || errors.Is(err, authcore.ErrDamaged) {
					t.Errorf("%s: got error %v, want ErrUnavailable", name, err)
				}
			}
			if n := syncs.Load(); n != 1 {
				t.Errorf("%d syncs, want 1", n)
			}
			if got := look(s, 0); got != "linked" {
				t.Errorf("the user is %s", got)
			}
			if s.Stats().Healthy {
				t.Error("Stats call it healthy")
			}
		})
	}
}
